"""Translators that learn nothing, for comparison."""
