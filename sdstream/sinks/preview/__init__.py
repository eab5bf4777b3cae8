"""The sink for browsers: a page that shows the restyled picture, the camera picture, and how the show goes.

The room knows HTTP, JPEG and the page, and serves all clients from within `send`, without a thread. Changing controls
is no business of the page. Start reading at `sink`, then `server`.
"""
