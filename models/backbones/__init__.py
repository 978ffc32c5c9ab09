"""Networks and the blocks they are made of, one file a family; they know tensors and nothing else of ours."""
