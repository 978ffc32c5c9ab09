"""Picture files: decoding, encoding, metadata, formats."""
