"""Recipes: how the files in `weights/` are made. `weights/README.md` lists the commands."""
