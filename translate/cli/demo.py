"""`translate demo`."""


def demo() -> None:
    """Demo."""
