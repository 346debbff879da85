"""The universal head: artificial videos made of photographs, and its entry in `weights/`."""
