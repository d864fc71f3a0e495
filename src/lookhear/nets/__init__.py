"""The networks: shared blocks, backbones, sound encoders, and one file a network."""
