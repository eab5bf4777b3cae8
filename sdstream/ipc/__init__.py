"""What two processes of a run share: pictures, controls, counters, and signs of life."""
