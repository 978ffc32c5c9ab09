"""Translators between kinds of images, one file each, on shared backbones and losses."""
