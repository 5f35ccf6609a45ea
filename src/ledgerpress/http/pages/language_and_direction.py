"""The language and the direction of pages, and the isolation of text whose direction is not known.

Titles and names can be in any script, and can contain Unicode's control characters for direction, such as U+202E. On a
page, text of users is therefore either alone in a block with `dir="auto"`, or inside an element of its own (`bdi`), so
that it cannot change the order of the text around it. In plain text, such as the title of a page, Unicode's isolates
do the same. See Unicode Standard Annex #9.
"""

import unicodedata
from typing import Final

import langcodes
from markupsafe import Markup

_RIGHT_TO_LEFT: Final = frozenset(
    [
        "Adlm",
        "Arab",
        "Aran",
        "Gara",
        "Hebr",
        "Mand",
        "Mend",
        "Nkoo",
        "Rohg",
        "Samr",
        "Syrc",
        "Syre",
        "Syrj",
        "Syrn",
        "Thaa",
        "Yezi",
    ]
)
"""The scripts in use that are written from right to left, by their codes in ISO 15924."""
_FIRST_STRONG_ISOLATE: Final = "\u2068"
_POP_ISOLATE: Final = "\u2069"
_ISOLATE_TYPES: Final = frozenset({"LRI", "RLI", "FSI"})
_TYPES_THAT_AFFECT_OTHERS: Final = _ISOLATE_TYPES | {
    "R",
    "AL",
    "AN",
    "LRE",
    "RLE",
    "LRO",
    "RLO",
    "PDF",
    "PDI",
}


def direction_of(language: str) -> str:
    """Return the direction in which a language is written, as the value of HTML's `dir`: `ltr` or `rtl`."""
    return "rtl" if script_of(language) in _RIGHT_TO_LEFT else "ltr"


def script_of(language: str) -> str | None:
    """Return the script in which a language is most likely written, a code of ISO 15924."""
    return langcodes.Language.get(language).maximize().script


def bdi(text: str) -> Markup:
    """Return `text` as HTML that does not change the order of the text around it."""
    return Markup("<bdi>{}</bdi>").format(_balanced(text))


def isolated(text: str, *, always: bool = False) -> str:
    """Return `text` as plain text that does not change the order of the text around it.

    Most text is returned unchanged: in text from left to right, only text with right-to-left characters or control
    characters needs isolation. `always` is for text from right to left.
    """
    if not always and (
        text.isascii() or _TYPES_THAT_AFFECT_OTHERS.isdisjoint(map(unicodedata.bidirectional, text))
    ):
        return text
    return f"{_FIRST_STRONG_ISOLATE}{_balanced(text)}{_POP_ISOLATE}"


def english_attributes(language: str) -> Markup:
    """Return HTML attributes for English words on a page in `language`; none if the page is in English."""
    # Both values are literals.
    return Markup("" if language.partition("-")[0] == "en" else ' lang="en" dir="ltr"')  # noqa: S704


def _balanced(text: str) -> str:
    """Return `text` with as many ends of isolates as beginnings, so that it cannot end an isolate around it."""
    if text.isascii():
        return text
    characters, depth = list[str](), 0
    for character in text:
        if character == _POP_ISOLATE:
            if not depth:
                continue
            depth -= 1
        elif unicodedata.bidirectional(character) in _ISOLATE_TYPES:
            depth += 1
        characters.append(character)
    return "".join(characters) + _POP_ISOLATE * depth
