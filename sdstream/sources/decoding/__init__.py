"""From packets to pictures of canvas size and 48 kHz sound, for every source that FFmpeg reads."""
