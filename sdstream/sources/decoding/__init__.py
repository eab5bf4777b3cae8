"""From packets to frames of canvas size and 48 kHz sound, for every input of FFmpeg.

The room knows demuxers, codecs, timestamps, colour and scaling. Servers, keys and reconnecting are unknown here. Start
reading at `decode`; `reader` has the only thread, because FFmpeg may block for as long as a server likes.
"""
