"""The settings of a run: the schema of the YAML file, and the reading of a file.

The room knows names, bounds, defaults and mistakes, each with line and column. No file here opens a device, a model or
a socket. `schema` is the first file to read; `load` turns a file into settings.
"""
