"""Three-way merge: combines two changes of one text if they affect different places."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledgerpress.features.posts.text_diff import SpanKind, difference


class Edit(NamedTuple):
    """A replacement of the characters from `low` up to, and not including, `high` by `text`."""

    low: int
    high: int
    text: str


@dataclass(frozen=True, slots=True)
class MergeResult:
    """A text with both changes; or, if `conflicts` has line numbers (from 1), the text `ours` with these conflicts."""

    text: str
    conflicts: tuple[int, ...] = ()


def merge(origin: str, ours: str, theirs: str) -> MergeResult:
    """Merge the changes from `origin` to `ours` and from `origin` to `theirs`.

    Overlapping or adjacent changes conflict, unless they are equal.
    """
    our_edits = _edits(origin, ours)
    their_edits = [edit for edit in _edits(origin, theirs) if edit not in our_edits]
    conflicts: list[int] = []
    shift = number = 0
    for edit in their_edits:
        while number < len(our_edits) and our_edits[number].high < edit.low:
            shift += len(our_edits[number].text) - (our_edits[number].high - our_edits[number].low)
            number += 1
        if number < len(our_edits) and our_edits[number].low <= edit.high:
            conflicts.append(ours.count("\n", 0, our_edits[number].low + shift) + 1)
    if conflicts:
        return MergeResult(ours, tuple(dict.fromkeys(conflicts)))
    return MergeResult(_edited(origin, sorted([*our_edits, *their_edits])))


def _edits(before: str, after: str) -> list[Edit]:
    edits: list[Edit] = []
    at = 0
    for kind, text in difference(before, after):
        match kind:
            case SpanKind.EQUAL:
                at += len(text)
            case SpanKind.DELETE:
                edits.append(Edit(at, at + len(text), ""))
                at += len(text)
            case SpanKind.INSERT if edits and edits[-1].high == at and not edits[-1].text:
                edits[-1] = edits[-1]._replace(text=text)
            case SpanKind.INSERT:
                edits.append(Edit(at, at, text))
    return edits


def _edited(text: str, edits: Sequence[Edit]) -> str:
    parts, at = [], 0
    for low, high, new in edits:
        parts += [text[at:low], new]
        at = high
    return "".join([*parts, text[at:]])
