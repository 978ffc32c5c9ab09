"""Losses, one file a family; they import no other room of ours."""
