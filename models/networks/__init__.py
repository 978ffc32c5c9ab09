"""Configurations of the backbones; each builds its network."""
