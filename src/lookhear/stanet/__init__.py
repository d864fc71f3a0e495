"""STANet: from category tags to a network that predicts fixations (CVPR 2021)."""
