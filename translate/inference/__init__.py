"""One model and pictures in memory."""
