"""Why a server takes no stream, in words: `reach` asks before FFmpeg does, and `said` keeps FFmpeg's own lines."""
