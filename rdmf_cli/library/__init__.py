"""Many videos: which there are, what an index of them holds, and search across all of them."""
