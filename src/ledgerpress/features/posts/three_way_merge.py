"""Bringing two changes of one text together, where they touch different places."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledgerpress.features.posts.text_diff import SpanKind, difference


class Edit(NamedTuple):
    """The characters from `low` to `high` give way to `text`."""

    low: int
    high: int
    text: str


@dataclass(frozen=True, slots=True)
class Merged:
    """A text with both changes, or the lines, from 1, of the one side where the other's no longer fit."""

    text: str
    conflicts: tuple[int, ...] = ()


def merge(origin: str, one: str, other: str) -> Merged:
    """Return what becomes of `origin` by the changes that made `one` of it, and those that made `other` of it.

    Changes at the same place, or with nothing between them, conflict, unless they are the same.
    """
    ours = _edits(origin, one)
    theirs = [edit for edit in _edits(origin, other) if edit not in ours]
    conflicts: list[int] = []
    shift = number = 0
    for edit in theirs:
        while number < len(ours) and ours[number].high < edit.low:
            shift += len(ours[number].text) - (ours[number].high - ours[number].low)
            number += 1
        if number < len(ours) and ours[number].low <= edit.high:
            conflicts.append(one.count("\n", 0, ours[number].low + shift) + 1)
    if conflicts:
        return Merged(one, tuple(dict.fromkeys(conflicts)))
    return Merged(_edited(origin, sorted([*ours, *theirs])))


def _edits(before: str, after: str) -> list[Edit]:
    found: list[Edit] = []
    at = 0
    for kind, text in difference(before, after):
        match kind:
            case SpanKind.EQUAL:
                at += len(text)
            case SpanKind.DELETE:
                found.append(Edit(at, at + len(text), ""))
                at += len(text)
            case SpanKind.INSERT if found and found[-1].high == at and not found[-1].text:
                found[-1] = found[-1]._replace(text=text)
            case SpanKind.INSERT:
                found.append(Edit(at, at, text))
    return found


def _edited(text: str, edits: Sequence[Edit]) -> str:
    parts, at = [], 0
    for low, high, new in edits:
        parts += [text[at:low], new]
        at = high
    return "".join([*parts, text[at:]])
