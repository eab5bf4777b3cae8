"""Sound between source and sink, delayed as much as the picture.

The room knows the ring in shared memory, the lag of sound behind pictures, and how to change a delay without a click.
No file here decodes, encodes or sends. Start reading at `delay`: a sink asks `Delay` for the sound of each tick.
"""
