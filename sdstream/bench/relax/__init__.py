"""The experiments of Learning to Relax (arXiv 2310.02246)."""
