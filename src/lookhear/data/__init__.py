"""What networks learn from and are tested on: moments, readers, the synthetic world."""
