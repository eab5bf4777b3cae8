"""The frames in flight, from camera picture to restyled picture: the part of a session that a backend may replace.

Start at `picture_batch`, the protocol. `latent_batch` joins an autoencoder and Stream Batch.
"""
