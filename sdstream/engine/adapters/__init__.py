"""What is put onto a model: LoRAs and ControlNets, and the files that they come in."""
