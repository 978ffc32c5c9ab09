"""What is wrong with the value of a setting, in words for people: what was expected, what was found, what was meant."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

# By pydantic's names of errors; the bounds are in the error's context.
EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "none_required": "null",
    "tuple_type": "a list, such as [a, b]",
    "list_type": "a list, such as [a, b]",
    "dict_type": "a section with keys of its own",
    "model_type": "a section with keys of its own",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "a number below {lt}",
    "less_than_equal": "{le} or less",
    "too_short": "{min_length} or more values",
    "too_long": "{max_length} or fewer values",
}


def describe_problem(problems: Sequence[Mapping[str, Any]]) -> str:
    """Return a message about pydantic's errors on one value: several where a union refuses it in several ways."""
    own = next((one for one in problems if one["type"] in ("value_error", "unknown_key")), None)
    if own is not None:
        return str(own["msg"]).removeprefix("Value error, ")
    if all(one["type"] == "missing" for one in problems):
        return "is missing"
    choices = [choice for one in problems for choice in _choices(one)]
    others = [_expected(one) for one in problems if not _choices(one)]
    expected = " or ".join(dict.fromkeys(filter(None, [*others, _join(choices)])))
    value = problems[0]["ctx"]["tag"] if problems[0]["type"] == "union_tag_invalid" else problems[0]["input"]
    found = f", found {value!r}" if isinstance(value, str | int | float | bool | None) else ""
    near = difflib.get_close_matches(str(value).lower(), choices, n=1) if choices else []
    return f"expected {expected}{found}{f'; did you mean {near[0]}?' if near else ''}"


def _choices(problem: Mapping[str, Any]) -> list[str]:
    """Return the values that a literal, or the tag of a union, may have."""
    text = {"literal_error": "expected", "union_tag_invalid": "expected_tags"}.get(problem["type"])
    return [] if text is None else _read_list(str(problem["ctx"][text]))


def _read_list(text: str) -> list[str]:
    """Return the items of a list as pydantic writes it: 'a', 'b' or 3."""
    return [quoted or number for quoted, number in re.findall(r"'([^']*)'|(\d+)", text)]


def _expected(problem: Mapping[str, Any]) -> str:
    known = EXPECTED.get(problem["type"])
    return known.format(**problem.get("ctx", {})) if known else str(problem["msg"])


def _join(names: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
