"""A recording on disk, safe from a power cut, a full disk, a slow disk and a file of the same name.

`file_name` finds a free name, `disk_file` writes and syncs in a thread, `recording` muxes into the file.
"""
