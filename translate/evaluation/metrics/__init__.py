"""Metrics of pictures, each figure with the protocol by which it was measured."""
