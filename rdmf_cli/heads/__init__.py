"""Heads answer questions.

This package holds the interface of heads, their registry, and the heads themselves.
"""
