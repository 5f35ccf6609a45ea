"""The difference between two texts: word by word, or line by line in the unified format.

The word diff first finds equal lines, then equal words within the lines that differ. A
script without spaces between words is compared by grapheme cluster. rapidfuzz compares the sequences.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import groupby
from typing import Final, NamedTuple

from ledgerpress.grapheme_clusters import CLUSTER, EXTENDING
from ledgerpress.unicode_patterns import unicode_pattern


class SpanKind(StrEnum):
    """Whether a span of text is unchanged, inserted or deleted."""

    EQUAL = "EQUAL"
    INSERT = "INSERT"
    DELETE = "DELETE"


class Span(NamedTuple):
    """A part of a difference. Equal and deleted spans form the old text, equal and inserted spans the new text."""

    kind: SpanKind
    text: str


class Replacement(NamedTuple):
    """`after[low_after:high_after]` replaces `before[low_before:high_before]`. Either can be empty, not both."""

    low_before: int
    high_before: int
    low_after: int
    high_after: int


# Letters of scripts without spaces between words, by Unicode's line-break classes: ideographs and kana (CJ, ID, NS),
# Thai, Lao, Burmese, Khmer and others (SA), Balinese, Javanese and others (AK, AP, AS).
_UNSPACED: Final = (
    r"[[\p{LB=AK}\p{LB=AP}\p{LB=AS}\p{LB=CJ}\p{LB=ID}\p{LB=NS}\p{LB=SA}]--[\p{Latin}\p{Hangul}\p{Nd}]]"
)
_IN_WORD: Final = rf"[[\p{{L}}\p{{M}}\p{{N}}]--{_UNSPACED}]"
_WORD: Final = (
    rf"(?V1)(?:[0-9A-Za-z]+(?=[\0-\x7f]|\Z)|(?={_IN_WORD}){CLUSTER})+|(?:\r\n|\s(?!{EXTENDING}))+|{CLUSTER}"
)
"""The pattern of a word, of white space, or of the cluster of another character.

Letters before ASCII need no closer look.
"""

_WORD_START: Final = re.compile(r" (?=[0-9A-Za-z])")
_REVERSED_WORD_START: Final = re.compile(r"[0-9A-Za-z] ")

_CONTEXT: Final = 3
"""The number of equal lines around each change in the unified format."""

_SMALL: Final = 2**28
"""Up to this product of the two lengths, the number of equal items is maximised; this needs an eighth as many bytes.

Above, the number of replaced items is minimised, which needs almost no memory and finds slightly fewer equal items.
"""
_LARGE: Final = 2**30
"""Above this product of the two lengths, no equal items are searched between the common beginning and the common end.

The comparison takes time in proportion to the product, about a second for this one, and no other thread runs meanwhile.
"""


def difference(before: str, after: str) -> list[Span]:
    """Return the spans of the difference. No span is empty; deleted text comes before the text that replaces it."""
    return list(_joined(_in_lines(before, after)))


def changed_lines(before: str, after: str) -> tuple[int, int]:
    """Return the lengths of the equal lines at the beginning and at the end of two texts, in characters."""
    beginning, end = _common_ends(before, after)
    low = before.rfind("\n", 0, beginning) + 1
    if not _is_line_start(before, len(before) - end, low) or not _is_line_start(after, len(after) - end, low):
        line_end = before.find("\n", len(before) - end)
        end = len(before) - line_end - 1 if line_end >= 0 else 0
    return low, end


def lines(text: str) -> list[str]:
    """Return the lines of a text, each with the U+000A that ends it."""
    *complete, last = text.split("\n")
    with_ends = [f"{line}\n" for line in complete]
    return [*with_ends, last] if last else with_ends


def words(text: str) -> list[str]:
    """Split a text into words, white space, and clusters of other characters. Joined, they are the text."""
    return unicode_pattern(_WORD).findall(text)


def replaced(before: Sequence[str], after: Sequence[str]) -> Iterator[Replacement]:
    """Yield the replaced ranges in order. Between two ranges there is at least one item, and all items are equal.

    The ranges are minimal, unless both sequences are very long.
    """
    from rapidfuzz.distance import Indel, Levenshtein  # noqa: PLC0415 - not needed to read

    if len(before) * len(after) > _LARGE:
        beginning, end = _common_ends(before, after)
        low, high_before, high_after = beginning, len(before) - end, len(after) - end
        if (high_before - low) * (high_after - low) > _LARGE:
            yield Replacement(low, high_before, low, high_after)
            return
    numbers: dict[str, int] = {}
    old, new = (
        "".join(chr(numbers.setdefault(item, len(numbers))) for item in items) for items in (before, after)
    )
    compare = Indel.opcodes if len(old) * len(new) <= _SMALL else Levenshtein.opcodes
    at_before = at_after = 0
    for block in compare(old, new).as_matching_blocks():
        if (at_before, at_after) != (block.a, block.b):
            yield Replacement(at_before, block.a, at_after, block.b)
        at_before, at_after = block.a + block.size, block.b + block.size


def _spans(
    old: Sequence[str], new: Sequence[str], change: Callable[[str, str], Iterator[Span]]
) -> Iterator[Span]:
    """Yield the spans of the difference of two sequences. `change` returns the spans of replaced ranges."""
    at = 0
    for gap in replaced(old, new):
        yield Span(SpanKind.EQUAL, "".join(old[at : gap.low_before]))
        yield from change(
            "".join(old[gap.low_before : gap.high_before]), "".join(new[gap.low_after : gap.high_after])
        )
        at = gap.high_before
    yield Span(SpanKind.EQUAL, "".join(old[at:]))


def _in_lines(before: str, after: str) -> Iterator[Span]:
    """Yield the spans of the difference, line by line, then word by word. Only the lines that changed are compared."""
    if before == after:
        yield Span(SpanKind.EQUAL, before)
        return
    low, end = 0, 0
    if (before.count("\n") + 1) * (after.count("\n") + 1) <= _SMALL:
        low, end = changed_lines(before, after)
    yield Span(SpanKind.EQUAL, before[:low])
    changed_before, changed_after = before[low : len(before) - end], after[low : len(after) - end]
    yield from _spans(lines(changed_before), lines(changed_after), _in_words)
    yield Span(SpanKind.EQUAL, after[len(after) - end :])


def _in_words(before: str, after: str) -> Iterator[Span]:
    low, end = 0, 0
    if len(before) * len(after) <= _SMALL:
        low, end = _changed_words(before, after)
    yield Span(SpanKind.EQUAL, before[:low])
    changed_before, changed_after = before[low : len(before) - end], after[low : len(after) - end]
    yield from _spans(words(changed_before), words(changed_after), _change)
    yield Span(SpanKind.EQUAL, after[len(after) - end :])


# A comparison of sequences first matches all equal items at the beginning, then those at the end of the rest. So equal
# items there can be left out, and the result is the same.


def _changed_words(before: str, after: str) -> tuple[int, int]:
    """Return lengths of equal text at the beginning and at the end of two texts; a word begins after it and before it.

    A word always begins at an ASCII letter or digit after a space, whatever precedes it.
    """
    beginning, end = _common_ends(before, after)
    last = _REVERSED_WORD_START.search(before[:beginning][::-1])
    first = _WORD_START.search(before, len(before) - end)
    return beginning - last.start() - 1 if last else 0, len(before) - first.end() if first else 0


def _common_ends(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """Return the length of the longest common prefix, and of the longest common suffix of the rest."""
    shorter = min(len(before), len(after))
    beginning = _longest(shorter, lambda length: before[:length] == after[:length])
    end = _longest(
        shorter - beginning,
        lambda length: before[len(before) - length :] == after[len(after) - length :],
    )
    return beginning, end


def _longest(limit: int, is_common: Callable[[int], bool]) -> int:
    """Return the greatest length up to `limit` that is common."""
    return bisect_left(range(limit), True, key=lambda length: not is_common(length + 1))


def _is_line_start(text: str, offset: int, beginning: int) -> bool:
    return offset == beginning or text[offset - 1] == "\n"


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Drop empty spans, join adjacent spans of one kind, and merge white space between two changes into them."""
    merged = [
        Span(kind, "".join(span.text for span in group))
        for kind, group in groupby((span for span in spans if span.text), key=lambda span: span.kind)
    ]
    deleted = inserted = ""
    for number, (kind, text) in enumerate(merged):
        if kind is SpanKind.DELETE:
            deleted += text
        elif kind is SpanKind.INSERT:
            inserted += text
        elif 0 < number < len(merged) - 1 and text.isspace() and "\n" not in text:
            deleted, inserted = deleted + text, inserted + text
        else:
            yield from _change(deleted, inserted)
            deleted = inserted = ""
            yield Span(kind, text)
    yield from _change(deleted, inserted)


def _change(deleted: str, inserted: str) -> Iterator[Span]:
    if deleted:
        yield Span(SpanKind.DELETE, deleted)
    if inserted:
        yield Span(SpanKind.INSERT, inserted)


def unified(before: str, after: str) -> str:
    """Return the difference of two texts in the unified format of GNU diff; empty if they are equal."""
    old, new = lines(before), lines(after)
    hunks = _hunks(replaced(old, new))
    rows = ["--- before\n", "+++ after\n"] if hunks else []
    for hunk in hunks:
        rows += _hunk(old, new, hunk)
    return "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)


def _hunks(gaps: Iterable[Replacement]) -> list[list[Replacement]]:
    """Group the changes into hunks: changes whose context lines touch or overlap are in one hunk."""
    hunks: list[list[Replacement]] = []
    for gap in gaps:
        if hunks and gap.low_before - hunks[-1][-1].high_before <= 2 * _CONTEXT:
            hunks[-1].append(gap)
        else:
            hunks.append([gap])
    return hunks


def _hunk(old: Sequence[str], new: Sequence[str], gaps: Sequence[Replacement]) -> Iterator[str]:
    before = min(_CONTEXT, gaps[0].low_before)
    behind = min(_CONTEXT, len(old) - gaps[-1].high_before)
    at, end = gaps[0].low_before - before, gaps[-1].high_before + behind
    start = gaps[0].low_after - before
    yield f"@@ -{_range(at, end)} +{_range(start, gaps[-1].high_after + behind)} @@\n"
    for gap in gaps:
        yield from (f" {line}" for line in old[at : gap.low_before])
        yield from (f"-{line}" for line in old[gap.low_before : gap.high_before])
        yield from (f"+{line}" for line in new[gap.low_after : gap.high_after])
        at = gap.high_before
    yield from (f" {line}" for line in old[at:end])


def _range(low: int, high: int) -> str:
    """Return a range of lines in the unified format: numbered from 1, without the length if it is 1."""
    length = high - low
    if length == 1:
        return str(low + 1)
    return f"{low + 1 if length else low},{length}"
