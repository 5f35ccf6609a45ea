"""Find a lone surrogate, half of a UTF-16 pair, in a request that is not Unicode text, and name its place.

A JSON decoder that accepts only Unicode text rejects such a request as a whole and without a reason.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

LONE_SURROGATE: Final = "LONE_SURROGATE"
MAX_PLACE: Final = 100
"""The maximum number of characters of a place in a message."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class LoneSurrogate(NamedTuple):
    """A lone surrogate, `place` such as `variables.input.tags[0]`, and the text that contains it."""

    place: str
    text: str

    @property
    def message(self) -> str:
        """What is wrong, where, and what to do."""
        match = _SURROGATE.search(self.text)
        at = match.start() if match else 0
        lines = self.text[:at].split("\n")
        line = f"line {len(lines)}, " if "\n" in self.text else ""
        return (
            f"{self.place[:MAX_PLACE]} contains the lone surrogate U+{ord(self.text[at]):04X} at {line}character "
            f"{len(lines[-1]) + 1}: half of a character. Send the whole pair, or remove it."
        )


def is_unicode(text: str) -> bool:
    """Return whether `text` has no lone surrogate."""
    return text.isascii() or _SURROGATE.search(text) is None


def in_json(text: bytes | str, place: str = "") -> LoneSurrogate | None:
    """Return the first lone surrogate in the strings of `text` at `place`, `None` if `text` is not JSON otherwise."""
    try:
        decoded = text.decode("utf-8", "surrogatepass") if isinstance(text, bytes) else text
        value = json.loads(decoded)
    except (ValueError, RecursionError):
        return None
    return in_value(value, place)


def in_value(value: Any, place: str = "") -> LoneSurrogate | None:
    """Return the first lone surrogate in the strings of a decoded JSON value at `place`, if there is one."""
    waiting: list[Iterator[tuple[str, Any]]] = [iter([(place, value)])]
    while waiting:
        for here, item in waiting[-1]:
            if isinstance(item, str):
                if _SURROGATE.search(item):
                    return LoneSurrogate(here or "The text", item)
            elif isinstance(item, Mapping):
                for name in item:
                    if isinstance(name, str) and _SURROGATE.search(name):
                        return LoneSurrogate(f"A name in {here}" if here else "A name in the object", name)
                waiting.append(iter([(_member(here, name), inner) for name, inner in item.items()]))
                break
            elif isinstance(item, list | tuple):
                waiting.append(iter([(f"{here}[{index}]", inner) for index, inner in enumerate(item)]))
                break
        else:
            waiting.pop()
    return None


def in_query_string(query_string: str) -> LoneSurrogate | None:
    """Return the first lone surrogate in the parameters of a query string, encoded as if it were a character."""
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="surrogatepass")
    except ValueError:
        return None
    return in_value(dict(pairs))


def _member(place: str, name: object) -> str:
    return f"{place}.{name}" if place else str(name)
