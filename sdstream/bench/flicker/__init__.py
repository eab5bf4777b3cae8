"""The flicker benchmark: how steady each method makes a restyled clip, and what each method costs.

The room knows scenes with exactly known motion, a stand-in for a model's style, and simple averages to compare with.
No model is loaded and nothing goes on air. Start reading at `flicker`.
"""
