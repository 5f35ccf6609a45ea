"""Placeholders in texts, such as `{count}` in “{count} articles”."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

_PLACEHOLDER: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


@lru_cache(maxsize=4_096)
def parts_of(text: str) -> tuple[str, ...]:
    """Return literal text and names of placeholders, in turns: the first and the last item are literal text."""
    return tuple(_PLACEHOLDER.split(text))


def names_in(text: str) -> frozenset[str]:
    """Return the names of the placeholders in a text."""
    return frozenset(parts_of(text)[1::2])


def fill(
    text: str, values: Mapping[str, Any], literal: Callable[[str], str], value: Callable[[Any], str]
) -> str:
    """Return a text with values. `literal` and `value` convert both kinds of parts. Raises `KeyError`."""
    parts = parts_of(text)
    return "".join(
        value(values[part]) if number % 2 else literal(part) for number, part in enumerate(parts) if part
    )
