"""Everything that measures: the engine, the whole path, flicker, and the experiments of Learning to Relax."""
