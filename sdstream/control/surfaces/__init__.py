"""Hands on the controls beside HTTP: OSC, MIDI, and the level of the sound.

A surface sends many values a second. `hands` keeps the newest value of each control, and patches all of them together,
`hands.PATCHES_A_SECOND` times a second at most. Start reading at `knobs`, then `hands`.
"""
