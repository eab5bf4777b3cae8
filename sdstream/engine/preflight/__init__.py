"""What a run would refuse of the engine's files, told without torch and without a weight. Start at `refusals`."""
