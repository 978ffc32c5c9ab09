"""The settings of an experiment as people meet them: changes, what follows from a size, text and schema."""
