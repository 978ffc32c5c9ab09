"""All settings of an experiment as a commented recipe: what each means, and what it may be."""

import textwrap
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

WIDTH = 100  # columns that a line with its comment may have; a longer comment goes above its setting
TAGS = ("name", "kind")  # settings that choose what a section is


def list_settings(section: BaseModel, indent: str = "", others: tuple[type[BaseModel], ...] = ()) -> Iterator[str]:
    """Yield the lines of YAML for a section, each setting with a comment.

    `others` are the classes that the section could have been instead, which its first setting chooses.
    """
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        comment = describe_setting(type(section), name, others)
        if isinstance(value, BaseModel):
            yield from _with_comment(f"{indent}{name}:", comment, indent)
            yield from list_settings(value, f"{indent}  ", find_sections(field))
        else:
            yield from _with_comment(f"{indent}{name}: {_to_yaml(value)}", comment, indent)


def describe_setting(section: type[BaseModel], name: str, others: tuple[type[BaseModel], ...] = ()) -> str:
    """Return what a setting means and may be; empty if nothing says so."""
    field = section.model_fields[name]
    sections = find_sections(field)
    if name in TAGS and get_origin(field.annotation) is Literal:
        tags = [str(other.model_fields[name].default) for other in others if name in other.model_fields]
        also = [tag for tag in tags if tag != field.default]
        return _summary(section) + (f"; or {', '.join(also)}" if also else "")
    meaning = field.description or next(
        (parent.model_fields[name].description or "" for parent in _parents_with(section, name)), ""
    )
    if not meaning and sections:
        meaning = _summary(sections[0]) if len(sections) == 1 else "a section, which its first setting chooses"
    return "; ".join(filter(None, [meaning, _range(field), _choices(field)]))


def find_sections(field: FieldInfo) -> tuple[type[BaseModel], ...]:
    """Return the classes of sections that a setting may hold."""
    return tuple(dict.fromkeys(_classes(field.annotation)))


def _parents_with(section: type[BaseModel], name: str) -> Iterator[type[BaseModel]]:
    """Yield the classes that a section derives from and that have the setting too."""
    for parent in section.__mro__[1:]:
        if issubclass(parent, BaseModel) and name in parent.model_fields:
            yield parent


def _summary(section: type[BaseModel]) -> str:
    """Return the first sentence about a section, without its full stop."""
    return " ".join((section.__doc__ or "").split("\n\n")[0].split()).removesuffix(".")


def _classes(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType):
        for part in get_args(annotation):
            yield from _classes(part)


def _choices(field: FieldInfo) -> str:
    """Return the values that a setting may have, if they can be counted."""
    values = [value for value in _literals(field.annotation) if value is not None]
    if not values:
        return ""
    names = [str(value) for value in values]
    numbers = _has_number(field.annotation)
    return f"a number or {' or '.join(names)}" if numbers else f"one of {', '.join(names)}"


def _literals(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) in (Annotated, Union, types.UnionType):
        for part in get_args(annotation):
            yield from _literals(part)


def _has_number(annotation: Any) -> bool:
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        return any(_has_number(part) for part in get_args(annotation))
    return annotation in (int, float)


def _range(field: FieldInfo) -> str:
    """Return the bounds of a number, as "from 0, below 1"."""
    bounds = {key: getattr(one, key) for one in field.metadata for key in ("ge", "gt", "le", "lt") if hasattr(one, key)}
    words = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}"}
    return ", ".join(words[key].format(f"{bounds[key]:g}") for key in words if bounds.get(key) is not None).replace(
        ", to", " to"
    )


def _to_yaml(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    plain = [_plain(one) for one in plain] if isinstance(plain, list) else plain
    text = yaml.safe_dump(plain, default_flow_style=True, width=10**6, allow_unicode=True)
    return str(text).removesuffix("\n...\n").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _with_comment(line: str, comment: str, indent: str) -> Iterator[str]:
    if comment and len(line) + len(comment) + 4 > WIDTH:
        start = f"{indent}# "
        yield from textwrap.wrap(comment, WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False)
        yield line
    else:
        yield f"{line}  # {comment}" if comment else line
