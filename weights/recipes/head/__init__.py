"""The universal head: videos made of photographs to learn from, and its entry into `weights/`."""
