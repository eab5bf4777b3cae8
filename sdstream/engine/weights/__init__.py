"""Model files on disk: where they are, whether they may be opened, and how a network is loaded from them."""
