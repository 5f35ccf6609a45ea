"""Find the version that each part of a body comes from, by following the differences from the first version on.

A paragraph or line that an edit removes in one place and inserts unchanged in another counts as moved, not as new.
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
    """`length` characters that `version` added, which begin at the character `start` of that version's body."""

    version: int
    start: int
    length: int


class BlameSpan(NamedTuple):
    """Consecutive text that one version added."""

    version: int
    text: str


@dataclass(frozen=True, slots=True)
class BlamedBody:
    """A body, and the pieces that it consists of, in order."""

    body: str = ""
    pieces: tuple[Segment, ...] = ()

    @property
    def spans(self) -> list[BlameSpan]:
        """The spans, which joined give the body; adjacent spans have different versions."""
        spans, at = [], 0
        for version, group in groupby(self.pieces, key=lambda piece: piece.version):
            length = sum(piece.length for piece in group)
            spans.append(BlameSpan(version, self.body[at : at + length]))
            at += length
        return spans


def follow(before: BlamedBody, version: int, body: str) -> BlamedBody:
    """Return the pieces of `body`, the text of `version`, from those of the previous body."""
    unchanged = list(_unchanged(before.body, body))
    moved = sorted(_moved(before.body, body, unchanged, _PARAGRAPH))
    lines = _moved(before.body, body, unchanged, _LINE)
    moved = sorted([*moved, *_outside_paragraphs(lines, moved)])
    starts = list(accumulate((piece.length for piece in before.pieces), initial=0))
    pieces, at = [], 0
    moved_ranges = [(origin.new, origin.new + origin.length) for origin in moved]
    origins = sorted([*moved, *_outside(unchanged, moved_ranges)])
    for new, old, length in [*origins, Origin(len(body), 0, 0)]:
        if new > at:
            pieces.append(Segment(version, at, new - at))
        pieces += _cut(before.pieces, starts, old, old + length)
        at = new + length
    return BlamedBody(body, tuple(_joined(pieces)))


class Origin(NamedTuple):
    """A part of a body that the previous body also contains: its offset in each, and its length."""

    new: int
    old: int
    length: int


def _unchanged(before: str, after: str) -> Iterator[Origin]:
    old = new = 0
    for kind, text in difference(before, after):
        if kind is SpanKind.EQUAL:
            yield Origin(new, old, len(text))
        old += 0 if kind is SpanKind.INSERT else len(text)
        new += 0 if kind is SpanKind.DELETE else len(text)


def _moved(before: str, after: str, unchanged: Sequence[Origin], unit: re.Pattern[str]) -> Iterator[Origin]:
    """Yield the units that moved: both bodies contain them, but the difference does not report them as equal."""
    old_units = {match.start(): match[0] for match in unit.finditer(before)}
    new_units = {match.start(): match[0] for match in unit.finditer(after)}
    for old, new in _in_place(old_units, new_units, unchanged):
        del old_units[old], new_units[new]
    removed: dict[str, list[int]] = defaultdict(list)
    for old, text in reversed(old_units.items()):
        removed[text].append(old)
    for new, text in new_units.items():
        if removed[text]:
            yield Origin(new, removed[text].pop(), len(text))


def _in_place(
    old_units: Mapping[int, str], new_units: Mapping[int, str], unchanged: Sequence[Origin]
) -> list[tuple[int, int]]:
    """Return the old and new offsets of the units that the difference reports as equal."""
    offsets, number = [], 0
    for old, text in old_units.items():
        while number < len(unchanged) and unchanged[number].old + unchanged[number].length <= old:
            number += 1
        if number == len(unchanged):
            break
        part = unchanged[number]
        new = part.new + old - part.old
        if part.old <= old and old + len(text) <= part.old + part.length and new_units.get(new) == text:
            offsets.append((old, new))
    return offsets


def _outside_paragraphs(lines: Iterable[Origin], paragraphs: Sequence[Origin]) -> Iterator[Origin]:
    """Yield the lines that belong to none of the paragraphs, neither in the new body nor in the old one."""
    new = [(paragraph.new, paragraph.new + paragraph.length) for paragraph in paragraphs]
    old = sorted((paragraph.old, paragraph.old + paragraph.length) for paragraph in paragraphs)
    for line in lines:
        if not (_within(line.new, new) or _within(line.old, old)):
            yield line


def _within(offset: int, ranges: Sequence[tuple[int, int]]) -> bool:
    number = bisect_right(ranges, offset, key=lambda low_high: low_high[0]) - 1
    return number >= 0 and offset < ranges[number][1]


def _outside(unchanged: Iterable[Origin], ranges: Sequence[tuple[int, int]]) -> Iterator[Origin]:
    """Yield the unchanged text outside `ranges`, which are ranges of the new body in order."""
    for new, old, length in unchanged:
        at, end = new, new + length
        number = bisect_right(ranges, new, key=lambda low_high: low_high[1])
        while at < end:
            low, high = ranges[number] if number < len(ranges) else (end, end)
            if at < min(low, end):
                yield Origin(at, old + at - new, min(low, end) - at)
            at = max(at, high)
            number += 1


def _cut(pieces: Sequence[Segment], starts: Sequence[int], low: int, high: int) -> Iterator[Segment]:
    """Yield the pieces of the characters from `low` to `high`; `starts` are the offsets of the pieces."""
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
