"""What networks learn from and are tested on: readers, spectrograms, rendered scenes."""
