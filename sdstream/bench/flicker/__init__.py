"""The flicker benchmark: how steady each method makes a restyled clip, and what each method costs."""
