"""Find the version that each part of a body comes from, by following the differences from the first version on.

A paragraph or line that an edit removes in one place and inserts unchanged in another counts as moved, not as new.
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from operator import attrgetter
from typing import Final, NamedTuple

from ledgerpress.features.posts.text_diff import SpanKind, changed_lines, difference

# Both begin at the start of a line only: a long blank line is then read once, not once for each of its characters.
_PARAGRAPH: Final = re.compile(r"^[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*", re.MULTILINE)
_LINE: Final = re.compile(r"^[^\n]*\S[^\n]*", re.MULTILINE)
_VERSION: Final = attrgetter("version")
_LENGTH: Final = attrgetter("length")

_PIECES_OF_RUN: Final = 64
"""The approximate number of pieces of a run."""


class Segment(NamedTuple):
    """`length` characters that `version` added, which begin at the character `start` of that version's body."""

    version: int
    start: int
    length: int


class BlameSpan(NamedTuple):
    """Consecutive text that one version added."""

    version: int
    text: str


class Origin(NamedTuple):
    """A part of a body that the previous body also contains: its offset in each, and its length."""

    new: int
    old: int
    length: int


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive pieces, and the sum of their lengths. A run never changes, so the bodies of many versions share it."""

    pieces: tuple[Segment, ...]
    length: int


@dataclass(frozen=True, slots=True)
class BlamedBody:
    """A body, and the runs of pieces that it consists of, in order."""

    body: str = ""
    runs: tuple[Run, ...] = ()

    @property
    def pieces(self) -> list[Segment]:
        return [piece for run in self.runs for piece in run.pieces]

    @property
    def spans(self) -> list[BlameSpan]:
        """The spans, which joined give the body; adjacent spans have different versions."""
        spans, at = [], 0
        for version, group in groupby(self.pieces, key=_VERSION):
            length = sum(map(_LENGTH, group))
            spans.append(BlameSpan(version, self.body[at : at + length]))
            at += length
        return spans


def follow(before: BlamedBody, version: int, body: str) -> BlamedBody:
    """Return the pieces of `body`, the text of `version`, from those of the previous body.

    Only the paragraphs from the first to the last one that changed are compared. The runs before and behind them are
    shared with the previous body.
    """
    if before.body == body:
        return before
    low, end = _unchanged_ends(before.body, body)
    high, changed = len(before.body) - end, body[low : len(body) - end]
    # The characters next to the changed text belong to it here, because their pieces may be joined with new ones.
    first, behind, skipped = _runs_of(before.runs, low - 1, high + 1)
    old_pieces = [piece for run in before.runs[first:behind] for piece in run.pieces]
    starts = list(accumulate(map(_LENGTH, old_pieces), initial=skipped))
    pieces = _cut(old_pieces, starts, skipped, low)
    at = 0
    for new, old, length in [*_origins(before.body[low:high], changed), Origin(len(changed), 0, 0)]:
        if new > at:
            _extend(pieces, [Segment(version, low + at, new - at)])
        _extend(pieces, _cut(old_pieces, starts, low + old, low + old + length))
        at = new + length
    _extend(pieces, _cut(old_pieces, starts, high, starts[-1]))
    return BlamedBody(body, (*before.runs[:first], *_in_runs(pieces), *before.runs[behind:]))


def _runs_of(runs: Sequence[Run], low: int, high: int) -> tuple[int, int, int]:
    """Return the range of the runs that contain the characters from `low` to `high`, and the offset of the first."""
    first = start = 0
    while first < len(runs) and start + runs[first].length <= low:
        start += runs[first].length
        first += 1
    behind, at = first, start
    while behind < len(runs) and at < high:
        at += runs[behind].length
        behind += 1
    return first, behind, start


def _in_runs(pieces: Sequence[Segment]) -> Iterator[Run]:
    """Yield the pieces in runs of about equal size."""
    number = max(1, round(len(pieces) / _PIECES_OF_RUN))
    bounds = [len(pieces) * run // number for run in range(number + 1)]
    for low, high in pairwise(bounds):
        if low < high:
            yield Run(tuple(pieces[low:high]), sum(map(_LENGTH, pieces[low:high])))


def _unchanged_ends(before: str, after: str) -> tuple[int, int]:
    """Return the lengths of equal paragraphs at the beginning and at the end of two bodies, in characters.

    A blank line separates them from the paragraphs in between.
    """
    low, end = changed_lines(before, after)
    while low:
        line_start = before.rfind("\n", 0, low - 1) + 1
        if not before[line_start:low].strip():
            break
        low = line_start
    at = len(before) - end
    while (line_end := before.find("\n", at)) >= 0:
        is_blank = not before[at:line_end].strip()
        at = line_end + 1
        if is_blank:
            return low, len(before) - at
    return low, 0


def _origins(before: str, after: str) -> list[Origin]:
    """Return the parts of `after` that `before` also contains, unchanged or moved, in the order of `after`."""
    unchanged = list(_unchanged(before, after))
    moved = sorted(_moved(before, after, unchanged, _PARAGRAPH))
    lines = _moved(before, after, unchanged, _LINE)
    moved = sorted([*moved, *_outside_paragraphs(lines, moved)])
    moved_ranges = [(origin.new, origin.new + origin.length) for origin in moved]
    return sorted([*moved, *_outside(unchanged, moved_ranges)])


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


def _cut(pieces: Sequence[Segment], starts: Sequence[int], low: int, high: int) -> list[Segment]:
    """Return the pieces of the characters from `low` to `high`; `starts` are the offsets of the pieces."""
    if low >= high:
        return []
    first, behind = bisect_right(starts, low) - 1, bisect_left(starts, high)
    cut = list(pieces[first:behind])
    version, start, length = cut[-1]
    cut[-1] = Segment(version, start, length - (starts[behind] - high))
    version, start, length = cut[0]
    skipped = low - starts[first]
    cut[0] = Segment(version, start + skipped, length - skipped)
    return cut


def _extend(pieces: list[Segment], more: Sequence[Segment]) -> None:
    """Append pieces, and join the first one with the last one if they are adjacent text of one version."""
    if pieces and more:
        last, first = pieces[-1], more[0]
        if first.version == last.version and first.start == last.start + last.length:
            pieces[-1] = last._replace(length=last.length + first.length)
            more = more[1:]
    pieces += more
