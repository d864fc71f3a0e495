"""A world with known answers: clips of things that can be seen and heard, and where people look."""
