"""Checks of a folder of training data: what is in it, and what would spoil a training."""
