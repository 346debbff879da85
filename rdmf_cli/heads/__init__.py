"""Heads, which answer questions: the protocol, the registry, and the heads themselves."""
