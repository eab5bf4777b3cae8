"""The process that never touches a pixel: wires, starts, watches and replaces the stages, and reports.

The room knows processes, signs of life and restarts, and owns all that outlives a single stage. Frames, models and
devices are unknown here. Start reading at `wiring`, the parts of a run, then `pipeline`, the loop.
"""
