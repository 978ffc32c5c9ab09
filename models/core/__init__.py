"""The base layer under the translators: what adversaries minimise, and the models that need no source picture."""
