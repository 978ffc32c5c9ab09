"""The classes of a model: the configuration says whether there are any, and the data how they are called."""

from datasets.errors import DataError, UserError


def choose_classes(conditional: bool, own: tuple[str, ...], found: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of a model's classes, for data with these.

    Args:
        conditional: Whether the model takes a class.
        own: The names in the configuration; empty if they are left to the data.
        found: The names of the data's classes.

    Raises:
        DataError: The model is conditional, and the data have no classes.
        UserError: The classes are not those in the configuration.
    """
    if not conditional:
        return own
    if not found:
        raise DataError("model.conditional: the data have no labels; set data.labels, or another data.kind")
    if own and own != found:
        raise UserError(f"model.domains is {', '.join(own)}, and the data's are {', '.join(found)}")
    return found
