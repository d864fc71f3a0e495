"""The main job: where people look in a clip, and its folder of results."""
