"""Recipes: how the files in `weights/` are made. `weights/README.md` has the commands."""
