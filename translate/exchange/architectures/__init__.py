"""Published architectures, one file a family: how their tensors are called, and which of our networks they are."""
