"""Benchmarks of the diffusion engine, and the tables of the StreamDiffusion paper.

The room knows models with random weights, clocks around parts of the engine, and energy counters. Stages, mailboxes
and sinks are unknown here: `bench.path` measures the whole daemon. Start reading at `speed`, then `paper`.
"""
