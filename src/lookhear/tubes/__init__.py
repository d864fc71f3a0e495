"""Where and when a network sees a class in a clip: Saliency Tubes, and CAM in space and time."""
