"""Changes to a recipe, such as "training.steps=1000", and sentences about what is wrong with its settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from datasets.errors import UserError
from datasets.problems import describe_problem
from translate.files import DuplicateKeyError, parse_yaml


def key_of(override: str) -> str:
    """Return the setting that an override changes."""
    return override.partition("=")[0]


def apply_override(tree: dict[str, Any], override: str, known: Sequence[str] = ()) -> None:
    """Put the value of an override, "section.key=value", into plain data.

    Args:
        tree: Is changed.
        override: The change.
        known: All settings, from which a mistyped one may be guessed.

    Raises:
        UserError: It does not have that form, or names a value as a section.
    """
    key, equals, text = override.partition("=")
    if not equals or not key:
        meant = [one for one in known if key and one.split(".")[-1] == key]
        example = f"did you mean {meant[0]}={text or '…'}?" if meant else "such as training.steps=1000"
        raise UserError(f"`set` {override}: expected section.key=value; {example}".replace("; such", ", such"))
    if "." not in key and key not in tree:
        meant = [one for one in known if one.split(".")[-1] == key]
        if meant:
            raise UserError(f"`set` {override}: names no section; did you mean {meant[0]}={text}?")
    *sections, last = key.split(".")
    place = tree
    for section in sections:
        if not isinstance(place.setdefault(section, {}), dict):
            raise UserError(f"`set` {override}: {section} is a value and has no parts")
        place = place[section]
    value = _read_value(override, text)
    if last in ("name", "kind") and place.get(last, value) != value:
        place.clear()  # the settings beside it belong to the old kind
    place[last] = value


def describe_errors(
    error: ValidationError, tree: Any, where: str, overrides: Sequence[str], known: Sequence[str] = ()
) -> str:
    """Return what is wrong with the settings in `tree`; what an override brought in is told with that override.

    Args:
        error: Of pydantic, about the tree.
        tree: The settings, after the overrides.
        where: What the settings come from, such as a file: the beginning of whatever no override is to blame for.
        overrides: The changes that were made.
        known: All settings, from which a mistyped one may be guessed.
    """
    problems: dict[tuple[str, ...], list[Any]] = {}
    for problem in error.errors():
        problems.setdefault(_find_path(problem, tree), []).append(problem)
    return "; ".join(_describe(path, found, where, overrides, known) for path, found in problems.items())


def _describe(
    path: tuple[str, ...], problems: Sequence[Any], where: str, overrides: Sequence[str], known: Sequence[str]
) -> str:
    setting, message = ".".join(path), describe_problem(problems)
    if problems[0]["type"] == "unknown_key":
        message = message.removeprefix(f"{path[-1]}: ")
        meant = [one for one in known if one.split(".")[-1] == path[-1]]
        if meant and "did you mean" not in message:
            message = f"unknown; did you mean {meant[0]}?"
    for override in reversed(overrides):  # a later one wins
        if key_of(override) == setting:
            return f"`set` {override}: {message}"
    text = f"{setting}: {message}" if setting else message
    if setting:
        near = [one for one in overrides if f"{key_of(one)}.".startswith(f"{setting}.")]
        near += [one for one in overrides if f"{setting}.".startswith(f"{key_of(one)}.")]
    else:
        near = [one for one in overrides if key_of(one) in message]
        near = near or [one for one in overrides if key_of(one) in ("model.name", "data.kind", "data.pairs.kind")]
    blamed = " ".join(f"`set` {override}" for override in dict.fromkeys(near))
    return f"{blamed or where}: {text}"


def _find_path(problem: Mapping[str, Any], tree: Any) -> tuple[str, ...]:
    """Return the path of the setting in the user's file that one of pydantic's errors is about."""
    path = []
    place = tree
    missing = len(problem["loc"]) if problem["type"] == "missing" else 0
    for depth, part in enumerate(problem["loc"], 1):
        # pydantic's paths also name the members of unions, which the user's file does not have as a level.
        if depth != missing and not (isinstance(place, dict) and part in place):
            continue
        path.append(str(part))
        place = place.get(part) if isinstance(place, dict) else None
    if problem["type"] == "unknown_key":
        key = str(problem["ctx"]["key"])
        return (*path, key) if not path or path[-1] != key else tuple(path)
    if problem["type"] == "union_tag_invalid":
        tag = next((key for key in ("kind", "name") if isinstance(place, dict) and key in place), None)
        return (*path, tag) if tag else tuple(path)
    return tuple(path)


def _read_value(override: str, text: str) -> Any:
    try:
        value = parse_yaml(text)
    except DuplicateKeyError as error:
        raise UserError(f"`set` {override}: {error}") from None
    except yaml.YAMLError:
        return text
    if isinstance(value, dict) and not text.lstrip().startswith("{"):
        return text  # a name with a colon in it, not a section
    return value
