"""Rules for language tags and names of time zones: which are valid, and how they are written."""

from functools import cache
from importlib.resources import files
from typing import Final

from ledgerpress.commands import text_rules
from ledgerpress.commands.errors import ErrorCode, Rejection

MAX_LANGUAGE: Final = 100
MAX_TIME_ZONE: Final = 100
_NOT_A_ZONE: Final = frozenset({"Factory"})
"""An entry of the IANA database that stands for a machine whose time zone is not configured."""


def language_tag(value: str, *, field: str = "language") -> str:
    """Return a valid BCP 47 tag, in the usual upper and lower case. Raises `Rejection` for any other text."""
    tag = text_rules.line(value, field=field, limit=MAX_LANGUAGE)
    import langcodes  # noqa: PLC0415 - its tables take long to load

    # The library also accepts two spellings of the Unicode CLDR: underscores, and the name of its root locale.
    valid = tag.isascii() and "_" not in tag and tag.casefold() != "root" and langcodes.tag_is_valid(tag)
    if not valid:
        raise Rejection(
            ErrorCode.INVALID_VALUE,
            f"“{tag}” is not a valid language tag. Use a tag of BCP 47, such as “en”, “pt-BR” or “zh-Hant”.",
            field=(field,),
        )
    if extended := langcodes.Language.get(tag, normalize=False).extlangs:
        # RFC 5646 keeps them for old tags only, and the library does not know which of them are registered.
        raise Rejection(
            ErrorCode.INVALID_VALUE,
            f"“{tag}” contains an extended language. Begin the tag with “{extended[-1]}” instead.",
            field=(field,),
        )
    return _usual_case(tag)


def time_zone_name(value: str, *, field: str = "timeZone") -> str:
    """Return the name of a time zone as the IANA database spells it. Raises `Rejection` for an unknown name.

    The `tzdata` package decides, so that every node accepts the same names, whatever its operating system knows.
    """
    name = text_rules.line(value, field=field, limit=MAX_TIME_ZONE)
    known = _zones().get(name.casefold())
    if known is None:
        raise Rejection(
            ErrorCode.INVALID_VALUE,
            f"“{name}” is not a time zone of the IANA database. Use a name such as “Europe/Berlin” or “UTC”.",
            field=(field,),
        )
    return known


def _usual_case(tag: str) -> str:
    """Return the tag with the upper and lower case that RFC 5646, section 2.1.1, recommends."""
    subtags, after_singleton = tag.lower().split("-"), False
    for number, subtag in enumerate(subtags):
        if number and not after_singleton:
            subtags[number] = {2: subtag.upper(), 4: subtag.capitalize()}.get(len(subtag), subtag)
        after_singleton = after_singleton or len(subtag) == 1
    return "-".join(subtags)


@cache
def _zones() -> dict[str, str]:
    """Return the names of all time zones, by their names in lower case."""
    names = (files("tzdata") / "zones").read_text("ascii").split()
    return {name.casefold(): name for name in names if name not in _NOT_A_ZONE}
