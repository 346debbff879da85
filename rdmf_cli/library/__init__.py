"""Libraries of many videos: their catalogue, their index, and search across all of them."""
