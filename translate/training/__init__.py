"""Training, from data to model file."""
