"""Ways in which pictures get worse."""
