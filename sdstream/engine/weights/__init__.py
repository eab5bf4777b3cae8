"""Model files on disk: where the files are, whether they may be opened, and how a network is loaded.

The room knows folders in diffusers layout, safetensors, licences, and the bundled model's own parts. What a network
computes is unknown here. Start reading at `files`, then `component`.
"""
