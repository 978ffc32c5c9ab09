"""Configurations of the backbones, one file a kind of network; each builds its network."""
