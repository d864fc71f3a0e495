"""Events that are heard and seen, not at the same time (Parekh et al., CVPR workshops 2018)."""
