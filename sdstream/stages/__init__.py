"""The loops in the stage processes, side by side: source, engine with finisher, sink.

A stage joins a source, an engine or a sink to mailboxes, controls and clocks, and counts. How a process starts, hangs
or is replaced is unknown here; `supervisor` knows. Start reading at `source`, then `engine` and `sink`.
"""
