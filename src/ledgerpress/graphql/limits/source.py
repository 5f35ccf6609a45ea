"""A document as text: its length, and the characters that it may be written in.

By the GraphQL specification (September 2025, section 2.1.1) a document is of Unicode scalar values, so a lone
surrogate is none. Here it may also hide nothing from who reads it: no control characters, which the edition of
October 2021 did not allow either, and outside of strings no characters that show nothing or turn the direction of
what follows. All of them can be written as escapes in a string.
"""

import re
from itertools import islice
from typing import Final

from ledgerpress.graphql.limits.exceeded import LimitExceeded, require
from ledgerpress.graphql.limits.settings import Limits

_NOWHERE: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
# Soft hyphen, zero widths, marks, embeddings, overrides and isolates of direction, invisible operators, tags.
_IN_STRINGS: Final = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_STRING_OR_COMMENT: Final = (
    r'"""[^"\\]*(?:(?:\\"""|\\|"(?!""))[^"\\]*)*"""|"[^"\\\n\r]*(?:\\.[^"\\\n\r]*)*"|#[^\n\r]*'
)
_STRING: Final = re.compile(_STRING_OR_COMMENT)
# As the lexer has them, or several in one: never more than the lexer would find.
_TOKEN: Final = re.compile(
    rf"[ \t\n\r,\ufeff]*(?:{_STRING_OR_COMMENT}|\.\.\.|[_A-Za-z0-9.+-]+|[^ \t\n\r,\ufeff])"
)


def check_source(text: str, limits: Limits) -> None:
    """Raise `LimitExceeded` for a document that is too long, or has characters that it may not have."""
    length = len(text)
    if length <= limits.document_bytes:
        length = len(text.encode("utf-8", "surrogatepass"))
    require(length, limits.document_bytes, "DOCUMENT_TOO_LARGE", "The document is too long, in bytes")
    _check_tokens(text, limits.tokens)
    if found := _NOWHERE.search(text):
        raise _refusal(text, found.start(), "")
    if _IN_STRINGS.search(text, 1) is None:
        return
    for place in _IN_STRINGS.finditer(_without_strings(text), 1):
        raise _refusal(text, place.start(), " outside of a string")


def _check_tokens(text: str, most: int) -> None:
    """Refuse what has far too many tokens or comments, a hundred times as fast as the lexer would."""
    if len(text) > most and sum(1 for _ in islice(_TOKEN.finditer(text), 2 * most + 1)) > 2 * most:
        raise too_many_tokens(most)


def too_many_tokens(most: int) -> LimitExceeded:
    """Return the refusal of a document with more than so many tokens, or more than so many comments."""
    return LimitExceeded(
        "TOO_MANY_TOKENS",
        f"The document has too many tokens or comments: at most {most:,} may be sent.",
        limit=most,
    )


def _without_strings(text: str) -> str:
    return _STRING.sub(lambda found: found[0] if found[0][0] == "#" else " " * len(found[0]), text)


def _refusal(text: str, place: int, where: str) -> LimitExceeded:
    line = text.count("\n", 0, place) + 1
    return LimitExceeded(
        "HIDDEN_CHARACTER",
        f"Line {line} of the document has the character U+{ord(text[place]):04X}, which may not stand"
        f" there{where}. In a string it can be written as an escape.",
    )
