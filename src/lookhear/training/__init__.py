"""How the networks learn: losses, augmentation, and recipes for Lightning."""
