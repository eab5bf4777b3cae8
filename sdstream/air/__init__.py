"""The choice of a sink's pictures, and their due times.

The room knows the fallback ladder, the due times of pictures, and the slate. No file here reads a clock, sleeps or
sends: time is an argument, so every decision can be tested. Start reading at `fallback_ladder`, then `pacer`.
"""
