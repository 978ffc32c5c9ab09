"""Holes, and what fills them."""
