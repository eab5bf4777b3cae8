"""The U-Net and the autoencoder as OpenVINO graphs: the fast way on a processor. Nothing else knows OpenVINO."""
