"""The backend that runs the networks by torch, as they are or compiled."""
