"""The mistakes in a configuration: finds each mistake, and says in plain words what to write instead.

The room reads settings and the tree of a file, and returns mistakes with positions. Devices, models and the network are
unknown here: a file on disk is looked for, never opened. Start reading at `explain`.
"""
