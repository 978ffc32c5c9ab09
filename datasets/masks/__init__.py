"""Masks of holes: drawn at random, or read from files."""
