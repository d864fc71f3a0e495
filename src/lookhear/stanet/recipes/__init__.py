"""What STANet trains: a file a training, and the presets of whole runs."""
