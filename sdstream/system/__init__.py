"""What the machine offers: NDI runtime, video devices, TLS authorities, listening sockets.

The room asks the machine and answers with a value or an error; a message names the command that helps. Frames, stages
and settings are unknown here. `kinds` is the row in which a family says what a kind needs of the machine; `endpoint`
and `finding` are the results of the listings and checks of such a row.
"""
