"""The flicker benchmark: the steadiness of a restyled clip under each method, and the cost of each method.

The room knows scenes with exactly known motion, a stand-in for a model's style, and simple averages for comparison. No
model is loaded and nothing goes on air. Start reading at `flicker`.
"""
