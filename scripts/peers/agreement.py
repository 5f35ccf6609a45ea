"""Checks that the servers give the same answers. Each API wraps lists in its own way; the wrapping is removed."""

from collections.abc import Mapping
from typing import Any, Final

from ledgerpress import rfc3339

_WRAPPERS: Final = frozenset({"nodes", "docs", "markdown"})


class Disagreement(Exception):
    """A server gives another answer than the data requires."""


def canonical(data: Mapping[str, Any], *, single: bool) -> Any:
    """Return `data` of a GraphQL response in the common form.

    The answer is the field `page`; a second field `articles` is added to it. Lists are not wrapped, times are in
    microseconds since 1970, and categories are sorted by slug. `single`: a list of one entry stands for this entry.
    """
    page = _canonical("page", data["page"])
    if single and isinstance(page, list):
        page = page[0] if page else None
    if "articles" in data and isinstance(page, dict):
        page = {**page, "articles": _canonical("articles", data["articles"])}
    return page


def check(server: str, question: str, expected: Any, actual: Any) -> None:
    """Raises `Disagreement` if `actual` is not `expected`."""
    if difference := _difference("", expected, actual):
        raise Disagreement(f"{server}, {question}: {difference}")


def _canonical(name: str, value: Any) -> Any:
    match value:
        case dict():
            if len(value) == 1 and (wrapper := next(iter(value))) in _WRAPPERS:
                return _canonical(name, value[wrapper])
            return {key: _canonical(key, entry) for key, entry in value.items()}
        case list():
            entries = [_canonical("", entry) for entry in value]
            return sorted(entries, key=lambda entry: str(entry["slug"])) if name == "categories" else entries
        case str() if name == "publishedAt":
            return rfc3339.parse(value)
        case _:
            return value


def _difference(path: str, expected: Any, actual: Any) -> str | None:
    """Describe the first difference; `None` if there is none."""
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        pairs = [(f"{path}.{key}", expected[key], actual[key]) for key in expected]
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = [(f"{path}[{index}]", *pair) for index, pair in enumerate(zip(expected, actual, strict=True))]
    else:
        return None if expected == actual else f"{path or 'the answer'} is {actual!r} instead of {expected!r}"
    differences = (_difference(*pair) for pair in pairs)
    return next(filter(None, differences), None)
