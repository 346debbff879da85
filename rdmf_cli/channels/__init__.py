"""The step between features and fusion: what a query says of each clip."""
