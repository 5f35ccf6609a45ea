"""The plain model of blame: it compares whole bodies, in every step.

`ledgerpress.features.history.blame` must give the same pieces from the changed paragraphs alone.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from ledgerpress.features.history import blame
from ledgerpress.features.history.blame import Origin, Segment
from ledgerpress.features.posts import text_diff
from ledgerpress.features.posts.text_diff import Span, SpanKind, lines, words


class WholeBody(NamedTuple):
    """A body, and all pieces that it consists of, in order."""

    body: str = ""
    pieces: Sequence[Segment] = ()


def whole_difference(before: str, after: str) -> list[Span]:
    """Return the difference of two texts of which all lines, and all words of changed lines, are compared."""
    return list(text_diff._joined(text_diff._spans(lines(before), lines(after), _in_words)))


def _in_words(before: str, after: str) -> Iterator[Span]:
    return text_diff._spans(words(before), words(after), text_diff._change)


def follow_whole(before: WholeBody, version: int, body: str) -> WholeBody:
    """Return the pieces of `body`, the text of `version`, from those of the previous body."""
    unchanged = list(_unchanged(before.body, body))
    moved = sorted(blame._moved(before.body, body, unchanged, blame._PARAGRAPH))
    in_lines = blame._moved(before.body, body, unchanged, blame._LINE)
    moved = sorted([*moved, *blame._outside_paragraphs(in_lines, moved)])
    starts = list(accumulate((piece.length for piece in before.pieces), initial=0))
    pieces, at = list[Segment](), 0
    moved_ranges = [(origin.new, origin.new + origin.length) for origin in moved]
    origins = sorted([*moved, *blame._outside(unchanged, moved_ranges)])
    for new, old, length in [*origins, Origin(len(body), 0, 0)]:
        if new > at:
            pieces.append(Segment(version, at, new - at))
        pieces += _cut(before.pieces, starts, old, old + length)
        at = new + length
    return WholeBody(body, _joined(pieces))


def _unchanged(before: str, after: str) -> Iterator[Origin]:
    old = new = 0
    for kind, text in whole_difference(before, after):
        if kind is SpanKind.EQUAL:
            yield Origin(new, old, len(text))
        old += 0 if kind is SpanKind.INSERT else len(text)
        new += 0 if kind is SpanKind.DELETE else len(text)


def _cut(pieces: Sequence[Segment], starts: Sequence[int], low: int, high: int) -> Iterator[Segment]:
    number = bisect_right(starts, low) - 1
    while low < high:
        version, start, length = pieces[number]
        skipped = low - starts[number]
        length = min(length - skipped, high - low)
        yield Segment(version, start + skipped, length)
        low += length
        number += 1


def _joined(pieces: Sequence[Segment]) -> list[Segment]:
    joined: list[Segment] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last and piece.version == last.version and piece.start == last.start + last.length:
            joined[-1] = last._replace(length=last.length + piece.length)
        else:
            joined.append(piece)
    return joined
