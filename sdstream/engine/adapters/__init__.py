"""Additions to a model: LoRAs, ControlNets and IP-Adapters (`image_prompt`), and the readers of these files.

The room knows the layers of a U-Net and how a LoRA or a ControlNet changes the output. Frames in flight, schedules and
clocks are unknown here. Start reading at `lora`; `controlnet` guides the U-Net by pictures computed from the camera
frame.
"""
