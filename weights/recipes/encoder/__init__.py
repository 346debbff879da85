"""The embedded encoder: its data, its towers, their training and export."""
