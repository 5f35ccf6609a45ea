"""Who put which part of a body there: every version's differences followed from the first.

A paragraph or a line that an edit takes away in one place and puts, unchanged, in another is moved, not new.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final, NamedTuple

from ledgerpress.features.posts.text_diff import SpanKind, difference

_PARAGRAPH: Final = re.compile(r"[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*")
_LINE: Final = re.compile(r"[^\n]*\S[^\n]*")


class Segment(NamedTuple):
    """Text as `version` put it there: there it began at the character `start`, and has `length` characters."""

    version: int
    start: int
    length: int


class BlameSpan(NamedTuple):
    """Consecutive text that one version put there."""

    version: int
    text: str


@dataclass(frozen=True, slots=True)
class BlamedBody:
    """A body, and the pieces that it is made of, in order."""

    body: str = ""
    pieces: tuple[Segment, ...] = ()

    @property
    def spans(self) -> list[BlameSpan]:
        """The spans that joined give the body; no two neighbours have one version."""
        found, at = [], 0
        for version, group in groupby(self.pieces, key=lambda piece: piece.version):
            length = sum(piece.length for piece in group)
            found.append(BlameSpan(version, self.body[at : at + length]))
            at += length
        return found


def follow(before: BlamedBody, version: int, body: str) -> BlamedBody:
    """Return the pieces of `body`, which `version` made of the body before."""
    kept = list(_kept(before.body, body))
    moved = sorted(_moved(before.body, body, kept, _PARAGRAPH))
    lines = _moved(before.body, body, kept, _LINE)
    moved = sorted([*moved, *_beside(lines, moved)])
    starts = list(accumulate((piece.length for piece in before.pieces), initial=0))
    pieces, at = [], 0
    origins = sorted([*moved, *_outside(kept, [(one.new, one.new + one.length) for one in moved])])
    for new, old, length in [*origins, Origin(len(body), 0, 0)]:
        if new > at:
            pieces.append(Segment(version, at, new - at))
        pieces += _cut(before.pieces, starts, old, old + length)
        at = new + length
    return BlamedBody(body, tuple(_joined(pieces)))


class Origin(NamedTuple):
    """Where a part of a body was in the body before: its places in the two, and its length."""

    new: int
    old: int
    length: int


def _kept(before: str, after: str) -> Iterator[Origin]:
    old = new = 0
    for kind, text in difference(before, after):
        if kind is SpanKind.EQUAL:
            yield Origin(new, old, len(text))
        old += 0 if kind is SpanKind.INSERT else len(text)
        new += 0 if kind is SpanKind.DELETE else len(text)


def _moved(before: str, after: str, kept: Sequence[Origin], unit: re.Pattern[str]) -> Iterator[Origin]:
    """Yield the units that went from one place to another: those that are the same, but not in the same place."""
    old_units = {match.start(): match[0] for match in unit.finditer(before)}
    new_units = {match.start(): match[0] for match in unit.finditer(after)}
    for old, new in _in_place(old_units, new_units, kept):
        del old_units[old], new_units[new]
    gone: dict[str, list[int]] = defaultdict(list)
    for old, text in reversed(old_units.items()):
        gone[text].append(old)
    for new, text in new_units.items():
        if gone[text]:
            yield Origin(new, gone[text].pop(), len(text))


def _in_place(
    old_units: Mapping[int, str], new_units: Mapping[int, str], kept: Sequence[Origin]
) -> list[tuple[int, int]]:
    """Return the places of the units that a difference keeps as they are."""
    found, number = [], 0
    for old, text in old_units.items():
        while number < len(kept) and kept[number].old + kept[number].length <= old:
            number += 1
        if number == len(kept):
            break
        part = kept[number]
        new = part.new + old - part.old
        if part.old <= old and old + len(text) <= part.old + part.length and new_units.get(new) == text:
            found.append((old, new))
    return found


def _beside(lines: Iterable[Origin], paragraphs: Sequence[Origin]) -> Iterator[Origin]:
    """Yield the lines that belong to none of the paragraphs, neither in the new body nor in the old."""
    new = [(one.new, one.new + one.length) for one in paragraphs]
    old = sorted((one.old, one.old + one.length) for one in paragraphs)
    for line in lines:
        if not (_within(line.new, new) or _within(line.old, old)):
            yield line


def _within(place: int, ranges: Sequence[tuple[int, int]]) -> bool:
    number = bisect_right(ranges, place, key=lambda one: one[0]) - 1
    return number >= 0 and place < ranges[number][1]


def _outside(kept: Iterable[Origin], taken: Sequence[tuple[int, int]]) -> Iterator[Origin]:
    """Yield what of the kept parts lies in none of the ranges, which are in order, of the new body."""
    for new, old, length in kept:
        at, end = new, new + length
        number = bisect_right(taken, new, key=lambda one: one[1])
        while at < end:
            low, high = taken[number] if number < len(taken) else (end, end)
            if at < min(low, end):
                yield Origin(at, old + at - new, min(low, end) - at)
            at = max(at, high)
            number += 1


def _cut(pieces: Sequence[Segment], starts: Sequence[int], low: int, high: int) -> Iterator[Segment]:
    """Yield the pieces of the characters from `low` to `high`; `starts` are the places of the pieces."""
    number = bisect_right(starts, low) - 1
    while low < high:
        version, start, length = pieces[number]
        skipped = low - starts[number]
        length = min(length - skipped, high - low)
        yield Segment(version, start + skipped, length)
        low += length
        number += 1


def _joined(pieces: Iterable[Segment]) -> list[Segment]:
    joined: list[Segment] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last and piece.version == last.version and piece.start == last.start + last.length:
            joined[-1] = last._replace(length=last.length + piece.length)
        else:
            joined.append(piece)
    return joined
