"""The sink for browsers: a page with the restyled picture, the camera picture, and the state of the run.

The room knows HTTP, JPEG and the page, and serves all clients inside `send`, without a thread. The page cannot change
controls. Start reading at `sink`, then `server`.
"""
