"""The names in a byline."""

import re
import unicodedata
from typing import Final

from ledgerpress.commands.text_rules import MAX_NAME

_MAX_WORDS: Final = 5
# Spaces are matched only from the first one on, so that the time is linear in the length of the text.
_SPACES: Final = r"(?<!\s)\s+"
_BETWEEN: Final = re.compile(
    rf"(?:{_SPACES})?[,;]\s*(?:and\s+|&\s*)?|{_SPACES}(?:and|with|AND|WITH)\s+|(?:{_SPACES})?&\s*"
)
_ADDRESS: Final = re.compile(rf"(?:{_SPACES})?(?:(?<!\S)[(<]?@?[^\s@]+@\S+\.\w+|[(<]?(?<!\w)@\w+)[)>]?$")
_EMPLOYER: Final = re.compile(rf"{_SPACES}(?:for|of|at|in|FOR|OF|AT|IN)\s+\w.*$", re.DOTALL)
_ROLE: Final = re.compile(
    r"(?:.*\b)?(?:writer|reporter|correspondent|editor|columnist|contributor|critic|photographer|intern|staff|author"
    r"|journalist|producer)s?",
    re.IGNORECASE,
)
_OTHER_CREDIT: Final = re.compile(
    r"(?:photo(?:graph(?:y|s)?|s)?|pictures?|images?|videos?|illustrations?|graphics?)\s+by\b", re.IGNORECASE
)
_PUBLISHER: Final = re.compile(r"the\s", re.IGNORECASE)
_SUFFIX: Final = re.compile(r"(?:jr|sr|ph\.?d|m\.?d|esq|i{2,3}|iv)\.?", re.IGNORECASE)
_PARTICLES: Final = frozenset(
    [
        "af",
        "al",
        "av",
        "bin",
        "da",
        "das",
        "de",
        "del",
        "della",
        "den",
        "der",
        "di",
        "do",
        "dos",
        "du",
        "e",
        "el",
        "ibn",
        "la",
        "le",
        "ten",
        "ter",
        "van",
        "von",
        "y",
        "zu",
    ]
)
_INSIDE: Final = frozenset(".'’‘-‐")
_HANDLE: Final = re.compile(r"(?!\d+$)\w[\w.-]{1,38}\w")


def author_names(text: str, *, allow_handle: bool = False) -> tuple[str, ...] | None:
    """Return the names in the order of the byline, each once, or `None` if the text is not only names.

    Roles, employers and addresses are left out. `allow_handle` accepts one word in small letters, such as "admin".
    """
    text = _ADDRESS.sub("", text.strip())
    names: dict[str, str] = {}
    for part in _BETWEEN.split(text):
        if names and _SUFFIX.fullmatch(part):
            last = next(reversed(names))
            names[last] = f"{names[last]}, {part}"
            continue
        if names and _OTHER_CREDIT.match(part):
            break
        if names and (_ROLE.fullmatch(part) or (_PUBLISHER.match(part) and _is_name(part))):
            continue
        name = part if _is_name(part) else _EMPLOYER.sub("", part)
        is_handle = allow_handle and _HANDLE.fullmatch(name) is not None
        if not is_handle and (not _is_name(name) or (name != part and " " not in name)):
            return None
        names.setdefault(name.casefold(), name)
    return tuple(names.values()) or None


def _is_name(text: str) -> bool:
    """Return whether the text is up to five words that are capitalised, or that have no capitals in their script."""
    words = text.split()
    if not 1 <= len(words) <= _MAX_WORDS or len(text) > MAX_NAME:
        return False
    if not all(map(_is_word, words)) or words[-1] in _PARTICLES:
        return False
    return all(not word[0].islower() or word in _PARTICLES for word in words)


def _is_word(word: str) -> bool:
    letters_and_marks = (
        character in _INSIDE or unicodedata.category(character)[0] in "LM" for character in word
    )
    return word[0].isalpha() and all(letters_and_marks)
