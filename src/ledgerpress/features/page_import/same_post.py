"""Decide whether a post of a page is a post that was imported before under the same headline.

A headline such as "Letters of the week" is not unique. Texts and dates decide: see
docs/decisions/0042-reading-pages.md.
"""

import re
from enum import IntEnum
from typing import Final, Protocol

from rapidfuzz.distance import Indel

from ledgerpress.features.page_import.page_post import PagePost

_DAY: Final = 86_400_000_000
_MIN_SHARED: Final = 0.5
_CUT: Final = re.compile(r"\s*[\[(]?(?:…|\.\.\.)[\])]?$")
# Scripts without spaces are compared by character.
_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\w+")


class Match(IntEnum):
    DIFFERENT = 0
    POSSIBLE = 1
    """Nothing speaks against it; the page may have a later version of the text."""
    CERTAIN = 2


class Imported(Protocol):
    """What imports recorded about a post; `None` if it was withdrawn. Changes of editors do not count."""

    @property
    def teaser(self) -> str | None: ...
    @property
    def body(self) -> str | None: ...
    @property
    def published_at(self) -> int | None: ...
    @property
    def date_is_known(self) -> bool: ...


def match(imported: Imported, page: PagePost) -> Match:
    """Return whether the page contains the imported post, which has the same headline."""
    if page.body and imported.body != "":
        return _match_bodies(imported, page)
    if (
        imported.body
        and page.teaser
        and _without_cut(page.teaser) in imported.body.replace("\\", "").casefold()
    ):
        return Match.CERTAIN
    return _match_teasers(imported.teaser, page.teaser)


def distance(imported: Imported, page: PagePost) -> int:
    """Return the time between the dates, 0 if either is unknown."""
    if imported.published_at is None or page.date.is_guessed:
        return 0
    return abs(imported.published_at - page.published_at)


def _match_bodies(imported: Imported, page: PagePost) -> Match:
    if imported.body == page.body:
        return Match.CERTAIN
    on_same_day = (
        imported.published_at is not None and imported.published_at // _DAY == page.published_at // _DAY
    )
    if on_same_day:
        return Match.POSSIBLE
    both_known = imported.date_is_known and not page.date.is_guessed
    if imported.body is None:
        return Match.DIFFERENT if both_known else Match.POSSIBLE
    compare = _shared_paragraphs if both_known else _shared_words
    return Match.POSSIBLE if compare(imported.body, page.body) >= _MIN_SHARED else Match.DIFFERENT


def _shared_paragraphs(first: str, second: str) -> float:
    paragraphs, others = set(first.split("\n\n")), set(second.split("\n\n"))
    return len(paragraphs & others) / max(len(paragraphs), len(others))


def _shared_words(first: str, second: str) -> float:
    words, others = (_WORD.findall(text.casefold()) for text in (first, second))
    return float(Indel.normalized_similarity(words, others))


def _match_teasers(stored: str | None, parsed: str | None) -> Match:
    """Compare two teasers: they may belong to the same post if one is missing or begins with the other."""
    if stored is None or parsed is None:
        return Match.POSSIBLE
    first, second = _without_cut(stored), _without_cut(parsed)
    return Match.CERTAIN if first.startswith(second) or second.startswith(first) else Match.DIFFERENT


def _without_cut(teaser: str) -> str:
    return _CUT.sub("", teaser).casefold()
