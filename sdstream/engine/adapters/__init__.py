"""What is put onto a model: LoRAs and ControlNets, and the readers of both kinds of file.

The room knows the layers of a U-Net and how a LoRA or a ControlNet changes the output. Frames in flight, schedules and
clocks are unknown here. Start reading at `lora`; `controlnet` has the pictures that hold the U-Net to the camera.
"""
