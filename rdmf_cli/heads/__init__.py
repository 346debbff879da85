"""Heads answer questions. Here are their protocol, their registry, and the heads themselves."""
