"""The language and the direction of pages, and the isolation of text whose direction is not known.

Titles and names can be in any script, and can contain Unicode's control characters for direction, such as U+202E. On a
page, text of users is therefore either alone in a block with `dir="auto"`, or inside an element of its own (`bdi`), so
that it cannot change the order of the text around it. In plain text, such as the title of a page, Unicode's isolates
do the same. See Unicode Standard Annex #9.
"""

import unicodedata
from typing import Final

import langcodes
from markupsafe import Markup, escape

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
    script = langcodes.Language.get(language).maximize().script
    return "rtl" if script in _RIGHT_TO_LEFT else "ltr"


def bdi(text: str) -> Markup:
    """Return `text` as HTML that does not change the order of the text around it."""
    return Markup("<bdi>{}</bdi>").format(_balanced(text))


def isolated(text: str) -> str:
    """Return `text` as plain text that does not change the order of the text around it.

    Most text is returned unchanged: only text with right-to-left characters or control characters needs isolation.
    """
    if _TYPES_THAT_AFFECT_OTHERS.isdisjoint(map(unicodedata.bidirectional, text)):
        return text
    return f"{_FIRST_STRONG_ISOLATE}{_balanced(text)}{_POP_ISOLATE}"


def english_words(text: str, *, language: str) -> Markup:
    """Return the English `text` of a page as HTML: marked as English if the page is in another `language`."""
    if language.partition("-")[0] == "en":
        return escape(text)
    return Markup('<bdi lang="en" dir="ltr">{}</bdi>').format(text)


def _balanced(text: str) -> str:
    """Return `text` with as many ends of isolates as beginnings, so that it cannot end an isolate around it."""
    kept, depth = list[str](), 0
    for character in text:
        if character == _POP_ISOLATE:
            if not depth:
                continue
            depth -= 1
        elif unicodedata.bidirectional(character) in _ISOLATE_TYPES:
            depth += 1
        kept.append(character)
    return "".join(kept) + _POP_ISOLATE * depth
