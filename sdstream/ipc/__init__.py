"""The memory shared by the processes of a run: frames, controls, counters, and signs of life.

The room knows shared memory, and keeps everything usable when a process is killed at any instruction: no lock outlives
a crash. The meaning of the shared numbers and pictures is unknown here. Start reading at `mailbox`, then `context`.
"""
