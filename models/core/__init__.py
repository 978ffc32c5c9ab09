"""The base layer under the translators: whole models that need no source image."""
