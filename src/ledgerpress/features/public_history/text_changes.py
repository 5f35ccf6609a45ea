"""The difference between two texts in a form for pages: blocks of pieces, and the passage of a correction in them.

First equal blocks are found, then equal words within the blocks between them (`posts.text_diff`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import groupby, pairwise
from typing import Final

from ledgerpress.features.posts.text_diff import Span, SpanKind, difference, replaced
from ledgerpress.features.public_history.text_blocks import CELL_END, Block, Container

_BLOCK_END: Final = "\0"
"""Ends each block in the texts that are compared. Unlike white space, it is always a word of its own."""
_MOST_AT_ONCE: Final = 2**32
"""Up to this product of two lengths, words are compared across blocks. Above, each block is compared with one block."""
_BETWEEN_WORDS: Final = re.compile(rf"[\s{_BLOCK_END}{CELL_END}]+")
PARAGRAPH_MARK: Final = "¶"


class Side(Enum):
    """One of the two texts of a difference."""

    NEWER = frozenset({SpanKind.EQUAL, SpanKind.INSERT})
    OLDER = frozenset({SpanKind.EQUAL, SpanKind.DELETE})


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive text of one kind. If a correction quotes it, `quoted` is the text that has the whole passage."""

    kind: SpanKind
    text: str
    quoted: Side | None = None

    @property
    def is_inserted(self) -> bool:
        return self.kind is SpanKind.INSERT

    @property
    def is_deleted(self) -> bool:
        return self.kind is SpanKind.DELETE


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive pieces that are all in a passage, or all outside."""

    is_passage: bool
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """A block in the order of a page. `cells` has one item, except in the row of a table.

    `closed` are the tags of the elements to close before the block, `opened` the elements to open. `is_inserted` and
    `is_deleted` state that the whole block is.
    """

    block: Block
    cells: Sequence[Sequence[Run]]
    is_inserted: bool
    is_deleted: bool
    closed: Sequence[str]
    opened: Sequence[Container]

    @property
    def is_header(self) -> bool:
        """Whether it is the row with the names of the columns."""
        return any(container.tag == "thead" for container in self.block.containers)


@dataclass(frozen=True, slots=True)
class Row:
    """A block as it was before, is now, or both, or a part of one that was divided or joined. At least one is not `None`."""

    older: Block | None
    newer: Block | None
    pieces: tuple[Piece, ...]

    @property
    def is_changed(self) -> bool:
        return self.is_replaced or any(piece.kind is not SpanKind.EQUAL for piece in self.pieces)

    @property
    def is_replaced(self) -> bool:
        """Whether the newer block takes the place of the older one as a whole: its kind or all of its words differ."""
        if self.older is None or self.newer is None:
            return False
        return self.older.kind != self.newer.kind or not any(
            piece.kind is SpanKind.EQUAL and any(map(str.isalnum, piece.text)) for piece in self.pieces
        )

    @property
    def sides(self) -> tuple[ShownBlock | None, ShownBlock | None]:
        """The older and the newer block, each alone, with the elements that contain it."""
        older, newer = (
            _alone(_shown(block, self._of(side), side)) if block else None
            for block, side in ((self.older, Side.OLDER), (self.newer, Side.NEWER))
        )
        return older, newer

    @property
    def inline(self) -> list[ShownBlock]:
        """The block in one text: once with all pieces, or the older and then the newer one."""
        if self.is_replaced and self.older and self.newer:
            return [
                _shown(self.older, self._of(Side.OLDER), Side.OLDER),
                _shown(self.newer, self._of(Side.NEWER), Side.NEWER),
            ]
        block = self.newer or self.older
        return [_shown(block, self.pieces, *Side)] if block else []

    def _of(self, side: Side) -> list[Piece]:
        pieces = [piece for piece in self.pieces if piece.kind in side.value]
        if not self.is_replaced:
            return pieces
        kind = SpanKind.DELETE if side is Side.OLDER else SpanKind.INSERT
        return [
            Piece(kind, "".join(piece.text for piece in group), quoted)
            for quoted, group in groupby(pieces, lambda piece: piece.quoted)
        ]


@dataclass(frozen=True, slots=True)
class TextChange:
    """The difference between two texts. `heading_level` is the highest level of their headings, 1 if they have none."""

    rows: tuple[Row, ...]
    heading_level: int

    @property
    def is_change(self) -> bool:
        return any(row.is_changed for row in self.rows)

    @property
    def has_passage(self) -> bool:
        return any(piece.quoted for row in self.rows for piece in row.pieces)

    @property
    def one_text(self) -> "OneText":
        """Both texts as one. What was deleted from a list or a table is in that list or table."""
        newer_of: dict[Container, Container] = {}
        for row in self.rows:
            for older, newer in _common_containers(row):
                newer_of.setdefault(older, newer)
        blocks, last = [], tuple[Container, ...]()
        for shown in (shown for row in self.rows for shown in row.inline):
            containers = tuple(newer_of.get(each, each) for each in shown.block.containers)
            common = _common_length(last, containers)
            blocks.append(replace(shown, closed=_tags(last[common:]), opened=containers[common:]))
            last = containers
        return OneText(blocks, _tags(last))


@dataclass(frozen=True, slots=True)
class OneText:
    """Blocks in order, and the tags of the elements to close after the last one."""

    blocks: Sequence[ShownBlock]
    closed: Sequence[str]


def text_change(before: Sequence[Block], after: Sequence[Block], passages: Sequence[str] = ()) -> TextChange:
    """Return the difference between two texts, with marked passages. It can take seconds: call it in a thread."""
    pieces = _with_passages(_spans(before, after), passages)
    levels = [level for block in (*before, *after) if (level := block.heading_level)]
    return TextChange(tuple(_rows(pieces, before, after)), min(levels, default=1))


def _spans(before: Sequence[Block], after: Sequence[Block]) -> Iterator[Span]:
    """Yield the spans of the difference. Each block ends with a character of its own."""
    keys = [[f"{block.kind}{_BLOCK_END}{block.text}" for block in blocks] for blocks in (before, after)]
    at = 0
    for gap in replaced(*keys):
        yield Span(SpanKind.EQUAL, _text(before[at : gap.low_before]))
        yield from _changes(before[gap.low_before : gap.high_before], after[gap.low_after : gap.high_after])
        at = gap.high_before
    yield Span(SpanKind.EQUAL, _text(before[at:]))


def _changes(before: Sequence[Block], after: Sequence[Block]) -> Iterator[Span]:
    """Yield the spans of the difference between blocks that replace others."""
    texts = _text(before), _text(after)
    if len(texts[0]) * len(texts[1]) <= _MOST_AT_ONCE:
        yield from difference(*texts)
        return
    common = min(len(before), len(after))
    for old, new in zip(before, after, strict=False):
        yield from difference(_text([old]), _text([new]))
    yield from difference(_text(before[common:]), _text(after[common:]))


def _text(blocks: Iterable[Block]) -> str:
    return "".join(f"{block.text}{_BLOCK_END}" for block in blocks)


def _with_passages(spans: Iterable[Span], passages: Sequence[str]) -> list[Piece]:
    """Return the spans, split where a passage begins or ends.

    A correction quotes the new words or those that they replaced. So a passage is marked in the newer text, or in the
    older one if the newer does not have it. White space counts as one space, and so do the ends of blocks.
    """
    pieces = [Piece(*span) for span in spans]
    for words in (" ".join(passage.split()) for passage in passages):
        for side in Side if words else ():
            text = "".join(piece.text for piece in pieces if piece.kind in side.value)
            if offsets := _find(text, words):
                pieces = list(_marked(pieces, side, *offsets))
                break
    return pieces


def _find(text: str, words: str) -> tuple[int, int] | None:
    """Return the offsets of the first place with words that have single spaces between them; `None` if there is none.

    A search with a regular expression would need time in proportion to the product of both lengths.
    """
    start = _BETWEEN_WORDS.sub(" ", text).find(words)
    if start < 0:
        return None
    end, low, left_out = start + len(words), None, 0
    for between in _BETWEEN_WORDS.finditer(text):
        at = between.start() - left_out
        if low is None and at >= start:
            low = start + left_out
        if at >= end:
            break
        left_out += len(between[0]) - 1
    return start + left_out if low is None else low, end + left_out


def _marked(pieces: Iterable[Piece], side: Side, low: int, high: int) -> Iterator[Piece]:
    """Yield the pieces, with those between two offsets of one text marked."""
    at = 0
    for piece in pieces:
        if piece.kind not in side.value:
            yield piece
            continue
        start, end = (min(max(offset - at, 0), len(piece.text)) for offset in (low, high))
        parts = (
            (piece.text[:start], piece.quoted),
            (piece.text[start:end], side),
            (piece.text[end:], piece.quoted),
        )
        yield from (Piece(piece.kind, text, quoted) for text, quoted in parts if text)
        at += len(piece.text)


def _rows(pieces: Iterable[Piece], before: Sequence[Block], after: Sequence[Block]) -> Iterator[Row]:
    """Yield the rows. An end of a block that was inserted or deleted inside a text that stays is shown as a mark."""
    older = newer = 0
    for (texts, end), (following, _) in pairwise([*_texts_and_ends(pieces), ([], SpanKind.EQUAL)]):
        is_inside = end is not SpanKind.EQUAL and all(
            any(piece.kind is not end for piece in each) for each in (texts, following)
        )
        if texts:
            yield Row(
                before[older] if any(piece.kind in Side.OLDER.value for piece in texts) else None,
                after[newer] if any(piece.kind in Side.NEWER.value for piece in texts) else None,
                (*texts, Piece(end, PARAGRAPH_MARK)) if is_inside else tuple(texts),
            )
        older += end in Side.OLDER.value
        newer += end in Side.NEWER.value


def _texts_and_ends(pieces: Iterable[Piece]) -> Iterator[tuple[list[Piece], SpanKind]]:
    """Yield the pieces up to each end of a block, with the kind of that end."""
    texts: list[Piece] = []
    for piece in pieces:
        *complete, rest = piece.text.split(_BLOCK_END)
        for text in complete:
            yield [*texts, Piece(piece.kind, text, piece.quoted)] if text else texts, piece.kind
            texts = []
        if rest:
            texts.append(Piece(piece.kind, rest, piece.quoted))


def _shown(block: Block, pieces: Sequence[Piece], *sides: Side) -> ShownBlock:
    kinds = {piece.kind for piece in pieces}
    cells = _cells(pieces) if block.tag == "tr" else [list(pieces)]
    return ShownBlock(
        block=block,
        cells=[_runs(cell, *sides) for cell in cells],
        is_inserted=kinds == {SpanKind.INSERT},
        is_deleted=kinds == {SpanKind.DELETE},
        closed=(),
        opened=block.containers,
    )


def _alone(shown: ShownBlock) -> ShownBlock:
    """Return the block with the tags of the elements to close after it."""
    return replace(shown, closed=_tags(shown.opened))


def _tags(containers: Sequence[Container]) -> list[str]:
    """Return the tags in the order in which the elements are closed."""
    return [container.tag for container in reversed(containers)]


def _cells(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Return the pieces of each cell of a row."""
    cells: list[list[Piece]] = [[]]
    for piece in pieces:
        first, *others = piece.text.split(CELL_END)
        cells[-1] += [replace(piece, text=first)] if first else []
        cells += [[replace(piece, text=text)] if text else [] for text in others]
    return cells


def _runs(pieces: Iterable[Piece], *sides: Side) -> list[Run]:
    return [Run(key, tuple(group)) for key, group in groupby(pieces, lambda piece: piece.quoted in sides)]


def _common_containers(row: Row) -> Iterator[tuple[Container, Container]]:
    """Yield the elements that contain both blocks of a row. An item of a list that was replaced is not the same item."""
    if row.older is None or row.newer is None:
        return
    for older, newer in zip(row.older.containers, row.newer.containers, strict=False):
        if older.tag != newer.tag or (row.is_replaced and older.tag == "li"):
            return
        yield older, newer


def _common_length(first: Sequence[Container], second: Sequence[Container]) -> int:
    same = (index for index, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1])
    return next(same, min(len(first), len(second)))
