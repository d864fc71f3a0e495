"""Predict where people look in a video, from what they see and what they hear."""

__version__ = "0.1.0"
