"""The offers of the machine: NDI runtime, video devices, TLS authorities, listening sockets.

The room asks the machine and returns a value or raises an error; the message names the command to type. Frames, stages
and settings are unknown here. A row of `kinds` names the needs of a kind: libraries, listings and checks. A listing
returns a list of `endpoint`, a check returns a `finding`.
"""
