"""Pictures on disk, as tensors to learn from: reading, pairing, augmenting, writing."""
