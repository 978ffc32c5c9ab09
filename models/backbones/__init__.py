"""Networks and the blocks they are made of, one file a family; they import torch only."""
