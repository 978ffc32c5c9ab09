"""Readers and writers of picture files that need a library of their own; each is imported when first needed."""
