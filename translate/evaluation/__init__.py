"""What models are worth."""
