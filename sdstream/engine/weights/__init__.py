"""Model files on disk: finding the files, checking the headers, and loading a network.

The room knows folders in diffusers layout, safetensors, licences, and the bundled model's own parts. The use of a
network is unknown here. Start reading at `files`, then `component`.
"""
