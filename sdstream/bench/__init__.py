"""All benchmarks: the engine, the whole daemon, flicker, and the experiments of Learning to Relax.

Each benchmark returns tables; printing belongs to `cli`. The room stands above the product: a benchmark may look into
any room, and no room may import a benchmark. Start reading at `path`, the benchmark of the whole daemon.
"""
