"""Data to train on, and picture files: opening folders, drawing samples, reading and writing pictures."""
