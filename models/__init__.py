"""Translators between kinds of pictures, one file each, on shared backbones and objectives."""
