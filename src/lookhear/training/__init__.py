"""The engine of every training: loop, checkpoints, loaders, augmentation, losses."""
