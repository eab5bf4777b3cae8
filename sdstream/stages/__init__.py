"""The loops that run in the stage processes: source, engine, sink."""
