"""The learned form of fusion and moments (to come)."""
