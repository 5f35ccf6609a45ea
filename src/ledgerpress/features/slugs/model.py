"""Slugs: their syntax, and the streams that make them unique.

Each slug has its own stream, named by a keyed hash. Claiming a slug appends to this stream; if two commands claim the
same slug at the same time, only one append succeeds.
"""

import hmac
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final, TypeAlias

from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.streams_and_append_plan import StreamCategory
from ledgerpress.eventlog.codec import EventType, JsonObject
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn, remaining_event
from ledgerpress.grapheme_clusters import cut
from ledgerpress.unicode_patterns import unicode_pattern

SLUG_MALFORMED: Final = "SLUG_MALFORMED"
SLUG_TAKEN: Final = "SLUG_TAKEN"
ERROR_CODES: Final = (SLUG_MALFORMED, SLUG_TAKEN)
MAX_SLUG: Final = 100
_DERIVED_LENGTH: Final = 80
_READ: Final = 1_000
"""The number of characters of a text from which a slug is derived; the rest is ignored."""
_APOSTROPHES: Final = "'’ʼ"
_NO_TRACE: Final = frozenset({"Cf", "Me"})
"""Unicode categories that a slug omits: invisible characters (soft hyphen, joiner) and frames around a character."""
_INVISIBLE: Final = r"\p{Default_Ignorable_Code_Point}"
"""Characters without an appearance, some of which are letters or marks: fillers, joiners, variation selectors."""
_INVISIBLE_DOT: Final = "([ijįịḭɉɨʝϳіј][\u0316-\u0333]*)\u0307"
"""A dot above a letter that has a dot anyway (Unicode property Soft_Dotted), with marks below the letter."""


class SlugKind(StrEnum):
    """The kind of object that a slug names. Objects of two kinds can have the same slug."""

    POST = "post"
    CATEGORY = "category"
    AUTHOR = "author"
    PAGE = "page"


HOLDER_TYPES: Final = {
    SlugKind.POST: "Post",
    SlugKind.CATEGORY: "Category",
    SlugKind.AUTHOR: "Author",
    SlugKind.PAGE: "PageDraft",
}
"""The types of the global ids by which clients know the owners of slugs."""


class SlugClaimed(Event, frozen=True):
    """The slug was assigned to the post, the category, the author or the page `owner_id`."""

    TEXT: ClassVar = {"slug": ""}

    kind: SlugKind
    slug: str
    owner_id: str


class SlugReleased(Event, frozen=True):
    """The slug is free again: a post or a page changed it before publishing it, or its category was deleted."""

    TEXT: ClassVar = {"slug": ""}

    kind: SlugKind
    slug: str
    owner_id: str


SlugEvent: TypeAlias = SlugClaimed | SlugReleased | Withdrawn


@dataclass(frozen=True, slots=True)
class Slug:
    """The owner of a slug: an id, `None` if the slug is free, or `""` if the owner is unknown after a withdrawal."""

    owner_id: str | None = None


def evolve(state: Slug, event: Event) -> Slug:
    match remaining_event(event):
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
    """Return the claim, or nothing if the owner already has the slug. Raises `Rejection` if the slug is taken."""
    if state.owner_id == owner_id:
        return ()
    if state.owner_id is not None:
        holders = ((HOLDER_TYPES[kind], state.owner_id),) if state.owner_id else ()
        raise Rejection(SLUG_TAKEN, f"The slug “{slug}” is taken.", field=("slug",), holders=holders)
    return (SlugClaimed(kind=kind, slug=slug, owner_id=owner_id),)


def release(state: Slug, *, kind: SlugKind, slug: str, owner_id: str) -> tuple[SlugEvent, ...]:
    """Return the release, or nothing if the slug does not belong to `owner_id`."""
    if state.owner_id != owner_id:
        return ()
    return (SlugReleased(kind=kind, slug=slug, owner_id=owner_id),)


SLUGS: Final = StreamCategory("slug", Slug(), evolve)


def _with_kinds_of_version_1(data: JsonObject) -> JsonObject:
    """Return data of version 1 as version 2, in which a slug can also be that of an author or a page."""
    return data


EVENTS: Final = (
    EventType[Event]("slug.claimed", 2, SlugClaimed, (_with_kinds_of_version_1,)),
    EventType[Event]("slug.released", 2, SlugReleased, (_with_kinds_of_version_1,)),
)


def stream_id(kind: SlugKind, slug: str, name_key: bytes) -> str:
    """Return the id of a slug's stream.

    It contains an HMAC-SHA-256 instead of the slug, so that the header, which is permanent, contains no user text.
    """
    return f"{kind.value}.{hmac.digest(name_key, slug.encode(), 'sha256').hex()}"


def normalized(slug: str) -> str:
    """Return a slug from outside in the form in which slugs are recorded: NFC. Every lookup and command uses it."""
    return unicodedata.normalize("NFC", slug)


def spellings(slug: str) -> tuple[str, ...]:
    """Return the slugs that a URL can mean, most likely first: as it is, in lower case, without invisible dots."""
    return tuple(dict.fromkeys((normalized(slug), _lower_with_dots(slug), lower(slug))))


def derive(text: str, *, fallback: str) -> str:
    """Derive a slug from a title or a name: NFKC, lower case, letters of any script, digits, hyphens.

    Return `fallback` if no letter or digit is left.
    """
    from ledgerpress.features.slugs.elisions_and_compatibility_forms import (  # noqa: PLC0415 - slow to import
        separate_words,
        to_compatible_forms,
    )

    slug = hyphenated(separate_words(lower(to_compatible_forms(cut(text, _READ)))), fallback=fallback)
    return slug if is_well_formed(slug) else fallback


def derived_formerly(text: str) -> str:
    """Return the slug that earlier versions derived from a text, empty if none. It may be recorded."""
    return hyphenated(_lower_with_dots(cut(text, _READ)), fallback="")


def is_derived(slug: str, text: str, *, fallback: str) -> bool:
    """Return whether this or an earlier version could derive a slug from a text, with or without a number."""
    number = slug.rpartition("-")[2]
    numbers = (1, int(number)) if number.isascii() and number.isdigit() and int(number) > 1 else (1,)
    bases = (derive(text, fallback=fallback), derived_formerly(text) or fallback)
    return any(slug == numbered(base, number) for base in bases for number in numbers)


def anchor(title: str) -> tuple[str, bool]:
    """Return the anchor of a heading, and whether it differs from the one that the heading had in earlier versions.

    Links lead to anchors, so the rules for new slugs do not apply to them. Only invisible dots were removed.
    """
    anchor, former = (
        hyphenated(text, fallback="section")
        for text in (lower(cut(title, _READ)), _lower_with_dots(cut(title, _READ)))
    )
    return anchor, anchor != former


def hyphenated(text: str, *, fallback: str) -> str:
    """Return the words of a lower-case text with hyphens between them, or `fallback` if there are no words."""
    words = text.translate(_IN_SLUG).split()
    slug = unicodedata.normalize("NFC", "-".join(filter(None, map(_without_leading_marks, words))))
    if len(slug) > _DERIVED_LENGTH:
        slug = slug[: _DERIVED_LENGTH + 1].rpartition("-")[0] or cut(slug, _DERIVED_LENGTH)
    return slug if _has_the_form(slug) else fallback


def lower(text: str) -> str:
    """Return a text in lower case and NFC, without the dots that this leaves above an i or j, as in the Turkish İ."""
    return normalized(unicode_pattern(_INVISIBLE_DOT).sub(r"\1", _lower_with_dots(text)))


def _lower_with_dots(text: str) -> str:
    return normalized(normalized(text).lower())


def is_well_formed(slug: str) -> bool:
    """Return whether a slug is NFC, lower case, and words of letters and digits with single hyphens between them.

    Marks may follow a letter, as in Devanagari. Invisible characters and dots above an i or j are not allowed.
    """
    return _has_the_form(slug) and slug == lower(slug)


def _has_the_form(slug: str) -> bool:
    """Return whether a slug is well-formed, apart from dots above an i or j, which recorded slugs may have."""
    return (
        0 < len(slug) <= MAX_SLUG
        and slug == normalized(slug)
        and slug == _lower_with_dots(slug)
        and all(
            word
            and word == _without_leading_marks(word)
            and word == word.translate(_IN_SLUG)
            and " " not in word
            for word in slug.split("-")
        )
    )


def checked(slug: str, *, field: str = "slug") -> str:
    """Return a new slug in NFC. Raises `Rejection`, with a proposal, if it is malformed or too long."""
    slug = normalized(slug)
    if len(slug) > MAX_SLUG:
        message = f"The slug has {len(slug):,} characters; at most {MAX_SLUG} are allowed."
        raise Rejection(ErrorCode.TOO_LONG, message, field=(field,))
    if not is_well_formed(slug):
        proposal = derive(slug, fallback="")
        hint = f" Try “{proposal}”." if proposal else ""
        rule = "A slug consists of lower-case letters and digits, with single hyphens between words."
        if _has_the_form(slug):
            rule = "The slug contains U+0307, a dot that is invisible above an i or j."
        elif hidden := unicode_pattern(_INVISIBLE).search(slug):
            rule = f"The slug contains the invisible character U+{ord(hidden[0]):04X}."
        raise Rejection(SLUG_MALFORMED, rule + hint, field=(field,))
    return slug


def numbered(slug: str, number: int) -> str:
    """Return the `number`-th candidate for a slug: the slug itself, then slug-2, slug-3 and so on."""
    if number == 1:
        return slug
    suffix = f"-{number}"
    return cut(slug, MAX_SLUG - len(suffix)).rstrip("-") + suffix


def _in_slug(character: str) -> str:
    """Return the replacement of a character in a slug: itself, an empty string, or a space to separate words."""
    category = unicodedata.category(character)
    if category in _NO_TRACE or character in _APOSTROPHES or unicode_pattern(_INVISIBLE).match(character):
        return ""
    return character if category[0] in "LMN" else " "


class _Replacements(dict[int, str]):
    """The replacements of characters for `str.translate`, which keeps those of the most frequent characters."""

    def __missing__(self, code_point: int) -> str:
        replacement = _in_slug(chr(code_point))
        if code_point < _FREQUENT:
            self[code_point] = replacement
        return replacement


_FREQUENT: Final = 0x180
"""The end of the code points of ASCII and of the most frequent Latin scripts."""
_IN_SLUG: Final = _Replacements()


def _without_leading_marks(word: str) -> str:
    while word and unicodedata.category(word[0])[0] == "M":
        word = word[1:]
    return word
