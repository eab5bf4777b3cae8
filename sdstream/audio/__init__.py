"""Sound, delayed as much as the picture is."""
