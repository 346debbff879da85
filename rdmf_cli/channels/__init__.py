"""Similarity channels: what a query says of each clip. The step between features and fusion."""
