"""The models of open_clip.

Torch is needed only to build the networks, not to find names, files and weights.
"""
