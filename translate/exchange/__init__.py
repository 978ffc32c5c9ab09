"""Doors: published weights in, verified models out, and the Hugging Face Hub."""
