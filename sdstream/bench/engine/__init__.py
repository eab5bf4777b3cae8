"""Benchmarks of the diffusion engine, and the tables of the StreamDiffusion paper."""
