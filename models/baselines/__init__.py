"""Translators that learn nothing, to compare with."""
