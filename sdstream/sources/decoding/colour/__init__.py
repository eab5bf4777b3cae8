"""What the colour tags of a picture mean, and the cubes that turn any tagged colour into the canvas's BT.709.

The room knows ITU-T H.273: matrices, transfer functions and primaries, and numbers only. Filters, frames and settings
are unknown here. Start reading at `coding`, then `cube`.
"""
