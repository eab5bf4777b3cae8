"""Picture and sound for players and for OBS, as MPEG-TS over HTTP, served from the loop of the sink.

`stream` makes the bytes, `viewer` is a connection, and `sink` is the sink.
"""
