"""The one process that never touches a pixel: it wires, starts, watches and replaces the stages, and reports."""
