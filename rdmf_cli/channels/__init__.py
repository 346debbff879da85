"""Similarity channels: how a query relates to each clip. They come between features and fusion."""
