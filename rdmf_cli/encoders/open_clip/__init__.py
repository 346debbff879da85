"""The models of open_clip: their names, files and weights without torch, their networks with it."""
