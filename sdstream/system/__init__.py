"""What the machine offers: NDI runtime, video devices, TLS authorities, listening sockets.

`kinds` is the row in which a family says what a kind needs of the machine; `endpoint` and `finding` are what the
listings and checks of such a row return.
"""
