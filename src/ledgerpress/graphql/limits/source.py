"""Limits on the text of a document: its length, its tokens and its characters.

A document consists of Unicode scalar values (GraphQL, September 2025, section 2.1.1), so lone surrogates are not
allowed. Characters that hide text from a reader are not allowed either: control characters anywhere, and outside of
strings invisible characters and characters that change the direction of text. In a string, these characters can be
written as escapes.
"""

import re
from itertools import islice
from typing import Final

from ledgerpress.graphql.limits import lone_surrogates
from ledgerpress.graphql.limits.exceeded import LimitExceeded, require
from ledgerpress.graphql.limits.settings import Limits

_NOWHERE: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
# Soft hyphen; zero-width characters; directional marks, embeddings, overrides, isolates; invisible operators; tags.
_IN_STRINGS: Final = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_IGNORED: Final = " \t\n\r,\ufeff"
# A string without an end extends to the end of its line, a block string to the end of the document. So each character
# is in one match, and what matched once is never tried again (possessive quantifiers): the time is linear.
_BLOCK_STRING: Final = r'"""[^"\\]*+(?:(?:\\"""|\\|"(?!""))[^"\\]*+)*+(?:""")?+'
_LINE_STRING: Final = r'"[^"\\\n\r]*+(?:\\[^\n\r]?+[^"\\\n\r]*+)*+"?+'
_STRING_OR_COMMENT: Final = rf"{_BLOCK_STRING}|{_LINE_STRING}|#[^\n\r]*+"
_STRING: Final = re.compile(_STRING_OR_COMMENT)
# A match is one token of the lexer, or several. So there are never more matches than tokens.
_TOKEN: Final = re.compile(rf"[{_IGNORED}]*+(?:{_STRING_OR_COMMENT}|\.\.\.|[_A-Za-z0-9.+-]+|[^{_IGNORED}])")


def check_source(text: str, limits: Limits) -> None:
    """Raise `LimitExceeded` for a document that is too long or contains characters that are not allowed."""
    length = len(text)
    if length <= limits.document_bytes:
        length = len(text.encode("utf-8", "surrogatepass"))
    require(length, limits.document_bytes, "DOCUMENT_TOO_LARGE", "The document has too many bytes")
    _check_tokens(text, limits.tokens)
    if surrogate := lone_surrogates.in_value(text, "query"):
        raise LimitExceeded(lone_surrogates.LONE_SURROGATE, surrogate.message)
    if match := _NOWHERE.search(text):
        raise _hidden_character(text, match.start(), "")
    if _IN_STRINGS.search(text, 1) is None:
        return
    if match := _IN_STRINGS.search(_without_strings(text), 1):
        raise _hidden_character(text, match.start(), " outside of a string")


def _check_tokens(text: str, most: int) -> None:
    """Reject a document with far too many tokens or comments, a hundred times as fast as the lexer."""
    text = text.rstrip(_IGNORED)  # no match begins there, and looking for one would take quadratic time
    if len(text) > most and sum(1 for _ in islice(_TOKEN.finditer(text), 2 * most + 1)) > 2 * most:
        raise too_many_tokens(most)


def too_many_tokens(most: int) -> LimitExceeded:
    """Return the error for a document with more tokens, or more comments, than `most`."""
    return LimitExceeded(
        "TOO_MANY_TOKENS",
        f"The document has too many tokens or comments: at most {most:,} are allowed.",
        limit=most,
    )


def _without_strings(text: str) -> str:
    return _STRING.sub(lambda match: match[0] if match[0][0] == "#" else " " * len(match[0]), text)


def _hidden_character(text: str, at: int, where: str) -> LimitExceeded:
    line = text.count("\n", 0, at) + 1
    return LimitExceeded(
        "HIDDEN_CHARACTER",
        f"Line {line} of the document contains the character U+{ord(text[at]):04X}, which is not allowed"
        f"{where}. In a string, write it as an escape.",
    )
