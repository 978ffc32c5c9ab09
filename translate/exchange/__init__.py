"""Doors: published weights in, verified models out, and the Hugging Face Hub.

Weights come in by `importing`: `checkpoint` reads a file's tensors, `recognition` asks each function of
`architectures` what they are, and the answer, a configuration of ours with its weights, becomes a model file.
"""
