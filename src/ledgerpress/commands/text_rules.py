"""Rules for text that users write: limits, and characters that are not allowed. Lengths are in characters."""

import unicodedata
from typing import Final

from ledgerpress.commands.errors import ErrorCode, Rejection

MAX_TITLE: Final = 300
MAX_TEASER: Final = 1_000
MAX_NAME: Final = 200
MAX_DESCRIPTION: Final = 2_000
MAX_NOTE: Final = 1_000
MAX_IDEMPOTENCY_KEY: Final = 200
MAX_BODY_BYTES: Final = 256 * 1024
"""The limit of a body in bytes of UTF-8. Even escaped as JSON, it fits into an event's payload."""

# Unicode's general categories.
_NOT_TEXT: Final = frozenset({"Cc", "Cs"})
_NOT_IN_LINES: Final = _NOT_TEXT | {"Zl", "Zp"}
_UNSEEN: Final = frozenset({"Zs", "Zl", "Zp", "Cf"})


def line(value: str, *, field: str, limit: int) -> str:
    """Return `value` trimmed and in NFC. Raises `Rejection` unless it is one line with a visible character."""
    value = unicodedata.normalize("NFC", value).strip()
    if all(unicodedata.category(character) in _UNSEEN for character in value):
        raise Rejection(ErrorCode.BLANK, f"The {_words(field)} must not be empty.", field=(field,))
    _check(value, field=field, limit=limit, breaks="", never=_NOT_IN_LINES)
    return value


def optional_text(value: str | None, *, field: str, limit: int) -> str | None:
    """Return `value` trimmed and in NFC, `None` if it is empty. Raises `Rejection` if it is invalid."""
    value = unicodedata.normalize("NFC", value or "").strip()
    _check(value, field=field, limit=limit, breaks="\n\t")
    return value or None


def body(value: str, *, field: str = "body") -> str:
    """Return a CommonMark body with U+000A as line ends. Raises `Rejection` if it is invalid."""
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    _check(value, field=field, limit=None, breaks="\n\t\f")
    size = len(value.encode())
    if size > MAX_BODY_BYTES:
        raise Rejection(
            ErrorCode.TOO_LONG,
            f"The body has {size:,} bytes; at most {MAX_BODY_BYTES:,} are allowed.",
            field=(field,),
        )
    return value


def _check(
    value: str, *, field: str, limit: int | None, breaks: str, never: frozenset[str] = _NOT_TEXT
) -> None:
    if limit is not None and len(value) > limit:
        raise Rejection(
            ErrorCode.TOO_LONG,
            f"The {_words(field)} has {len(value):,} characters; at most {limit:,} are allowed.",
            field=(field,),
        )
    for character in value:
        if character not in breaks and unicodedata.category(character) in never:
            raise Rejection(
                ErrorCode.INVALID_TEXT,
                f"The {_words(field)} contains the character U+{ord(character):04X}, which is not allowed.",
                field=(field,),
            )


def _words(field: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in field)
