"""Wires, starts, watches and replaces the stages, and reports; the process of the supervisor never touches a pixel.

The room knows processes, signs of life and restarts, and owns all parts with a longer life than a stage. Frames, models
and devices are unknown here. Start reading at `wiring`, the parts of a run, then `pipeline`, the loop.
"""
