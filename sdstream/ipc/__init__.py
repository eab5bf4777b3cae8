"""What two processes of a run share: frames, controls, counters, and signs of life.

The room knows shared memory, and keeps everything usable when a process is killed at any instruction: no lock outlives
a crash. What the shared numbers and pictures mean is unknown here. Start reading at `mailbox`, then `context`.
"""
