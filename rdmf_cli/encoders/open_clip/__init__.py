"""The models of open_clip. Their names, files and weights need no torch; their networks do."""
