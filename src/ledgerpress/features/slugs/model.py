"""Slugs: how they are written, and the stream that makes each one unique.

Every slug has a stream of its own, named by a keyed hash, so that claiming it is an append that only one can win.
"""

import hmac
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn

SLUG_MALFORMED: Final = "SLUG_MALFORMED"
SLUG_TAKEN: Final = "SLUG_TAKEN"
ERROR_CODES: Final = (SLUG_MALFORMED, SLUG_TAKEN)
MAX_SLUG: Final = 100
_DERIVED_LENGTH: Final = 80
_READ: Final = 1_000
"""So many characters of a text are looked at; a slug needs no more."""
_APOSTROPHES: Final = "'’ʼ"
_NO_TRACE: Final = frozenset({"Cf", "Me"})
"""Categories of what cannot be seen, such as a soft hyphen or a joiner, and of frames around a character."""
_VARIATIONS: Final = re.compile(r"[\u180B-\u180F\uFE00-\uFE0F\U000E0100-\U000E01EF]")
"""Marks that only choose how the character before them looks, such as that of an emoji."""


class SlugKind(StrEnum):
    """What a slug names. A post and a category may have the same slug."""

    POST = "post"
    CATEGORY = "category"


class SlugClaimed(Event, frozen=True):
    """The slug names `owner_id` from now on."""

    kind: SlugKind
    slug: str
    owner_id: str


class SlugReleased(Event, frozen=True):
    """The slug, which was never published, is free again."""

    kind: SlugKind
    slug: str
    owner_id: str


SlugEvent: TypeAlias = SlugClaimed | SlugReleased | Withdrawn


@dataclass(frozen=True, slots=True)
class Slug:
    """Who has the slug: an owner, nobody (`None`), or somebody unknown (`""`, after a withdrawal)."""

    owner_id: str | None = None


def evolve(state: Slug, event: Event) -> Slug:
    match event:
        case SlugClaimed(owner_id=owner_id):
            return Slug(owner_id)
        case SlugReleased():
            return Slug(None)
        case Withdrawn(type="slug.released"):
            return Slug(None)
        case Withdrawn():
            return Slug("")
        case _:
            return state


def claim(state: Slug, *, kind: SlugKind, slug: str, owner_id: str) -> tuple[SlugEvent, ...]:
    """Claim the slug for its owner. Raises `Rejection` where another has it."""
    if state.owner_id == owner_id:
        return ()
    if state.owner_id is not None:
        raise Rejection(SLUG_TAKEN, f"The slug “{slug}” is taken.", field=("slug",))
    return (SlugClaimed(kind=kind, slug=slug, owner_id=owner_id),)


def release(state: Slug, *, kind: SlugKind, slug: str, owner_id: str) -> tuple[SlugEvent, ...]:
    """Give the slug back; nothing to do where it is not the owner's."""
    if state.owner_id != owner_id:
        return ()
    return (SlugReleased(kind=kind, slug=slug, owner_id=owner_id),)


SLUGS: Final = StreamCategory("slug", Slug(), evolve)
EVENTS: Final = (
    EventType[Event]("slug.claimed", 1, SlugClaimed),
    EventType[Event]("slug.released", 1, SlugReleased),
)


def stream_id(kind: SlugKind, slug: str, name_key: bytes) -> str:
    """Return the id of a slug's stream. The HMAC-SHA-256 keeps what a person wrote out of the header."""
    return f"{kind.value}.{hmac.digest(name_key, slug.encode(), 'sha256').hex()}"


def derive(text: str, *, fallback: str) -> str:
    """Return a slug made from a title or a name: NFC, lower case, letters of any script, digits, hyphens."""
    words = "".join(map(_in_slug, unicodedata.normalize("NFC", text[:_READ].lower()))).split()
    slug = unicodedata.normalize("NFC", "-".join(filter(None, map(_without_leading_marks, words))))
    if len(slug) > _DERIVED_LENGTH:
        slug = slug[: _DERIVED_LENGTH + 1].rpartition("-")[0] or _cut(slug)
    return slug if is_well_formed(slug) else fallback


def is_well_formed(slug: str) -> bool:
    """Whether `slug` may be one: NFC, lower case, words of letters and digits joined by single hyphens.

    Marks may follow a letter, as in Devanagari; those that only choose how a character looks may not.
    """
    return (
        0 < len(slug) <= MAX_SLUG
        and slug == unicodedata.normalize("NFC", slug)
        and slug == unicodedata.normalize("NFC", slug.lower())
        and all(
            word and word == _without_leading_marks(word) and all(_in_slug(one) == one != " " for one in word)
            for word in slug.split("-")
        )
    )


def checked(slug: str, *, field: str = "slug") -> str:
    """Return `slug` as it is. Raises `Rejection`, with a proposal, where it is malformed."""
    if len(slug) > MAX_SLUG:
        message = f"The slug has {len(slug):,} characters; at most {MAX_SLUG} are allowed."
        raise Rejection(ErrorCode.TOO_LONG, message, field=(field,))
    if not is_well_formed(slug):
        proposal = derive(slug, fallback="")
        hint = f" Try “{proposal}”." if proposal else ""
        raise Rejection(
            SLUG_MALFORMED,
            "A slug is made of lower-case letters and digits, with single hyphens between words." + hint,
            field=(field,),
        )
    return slug


def numbered(slug: str, number: int) -> str:
    """Return the slug to try as the `number`-th: the slug itself first, then slug-2 and so on."""
    if number == 1:
        return slug
    suffix = f"-{number}"
    return slug[: MAX_SLUG - len(suffix)].rstrip("-") + suffix


def _in_slug(character: str) -> str:
    """Return what a slug has for a character: itself, nothing, or the space that parts words."""
    category = unicodedata.category(character)
    if category in _NO_TRACE or character in _APOSTROPHES or _VARIATIONS.search(character):
        return ""
    return character if category[0] in "LMN" else " "


def _without_leading_marks(word: str) -> str:
    while word and unicodedata.category(word[0])[0] == "M":
        word = word[1:]
    return word


def _cut(slug: str) -> str:
    """Shorten a slug of one word, but not between a letter and its marks."""
    end = _DERIVED_LENGTH
    while unicodedata.category(slug[end])[0] == "M":
        end -= 1
    return slug[:end]
