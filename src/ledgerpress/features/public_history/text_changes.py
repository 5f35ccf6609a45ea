"""The difference between two texts in a form for pages: paragraphs of pieces, and the passage of a correction in them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import Final

from ledgerpress.features.posts.text_diff import Span, SpanKind, difference

_BREAK: Final = re.compile(r"(\n{2,})")
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
class Paragraph:
    """The pieces of a paragraph, as it was before, is now, or both."""

    pieces: tuple[Piece, ...]

    @property
    def both(self) -> list[Run]:
        return _runs(self.pieces, *Side)

    @property
    def older(self) -> list[Run]:
        return _runs((piece for piece in self.pieces if not piece.is_inserted), Side.OLDER)

    @property
    def newer(self) -> list[Run]:
        return _runs((piece for piece in self.pieces if not piece.is_deleted), Side.NEWER)

    @property
    def is_changed(self) -> bool:
        return any(piece.kind is not SpanKind.EQUAL for piece in self.pieces)


def _runs(pieces: Iterable[Piece], *sides: Side) -> list[Run]:
    return [Run(key, tuple(group)) for key, group in groupby(pieces, lambda piece: piece.quoted in sides)]


@dataclass(frozen=True, slots=True)
class TextChange:
    """The difference between two texts."""

    paragraphs: tuple[Paragraph, ...]

    @property
    def is_change(self) -> bool:
        return any(paragraph.is_changed for paragraph in self.paragraphs)

    @property
    def has_passage(self) -> bool:
        return any(piece.quoted for paragraph in self.paragraphs for piece in paragraph.pieces)


def text_change(before: str, after: str, passages: Sequence[str] = ()) -> TextChange:
    """Return the difference between two texts, with marked passages. It can take seconds: call it in a thread."""
    return TextChange(tuple(_paragraphs(_with_passages(difference(before, after), passages))))


def _with_passages(spans: Sequence[Span], passages: Sequence[str]) -> list[Piece]:
    """Return the spans, split where a passage begins or ends.

    A correction quotes the new words or those that they replaced. So a passage is marked in the newer text, or in the
    older one if the newer does not have it. White space counts as one space.
    """
    pieces = [Piece(*span) for span in spans]
    for passage in passages:
        pattern = re.compile(r"\s+".join(map(re.escape, passage.split())))
        for side in Side if passage.split() else ():
            text = "".join(piece.text for piece in pieces if piece.kind in side.value)
            if match := pattern.search(text):
                pieces = list(_marked(pieces, side, *match.span()))
                break
    return pieces


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


def _paragraphs(pieces: Iterable[Piece]) -> Iterator[Paragraph]:
    """Yield the paragraphs. A break that was inserted or deleted inside a paragraph that stays is shown as a mark."""
    paragraph: list[Piece] = []
    last_break: SpanKind | None = None
    for texts, break_kind in _texts_and_breaks(pieces):
        if paragraph:
            is_inside = last_break is not SpanKind.EQUAL and all(
                any(piece.kind is not last_break for piece in pieces_of) for pieces_of in (paragraph, texts)
            )
            mark = (Piece(last_break, PARAGRAPH_MARK),) if is_inside and last_break else ()
            yield Paragraph((*paragraph, *mark))
        paragraph, last_break = texts, break_kind
    if paragraph:
        yield Paragraph(tuple(paragraph))


def _texts_and_breaks(pieces: Iterable[Piece]) -> Iterator[tuple[list[Piece], SpanKind | None]]:
    """Yield the pieces of each paragraph, with the kind of the break after it, `None` at the end."""
    texts: list[Piece] = []
    for piece in pieces:
        for text in _BREAK.split(piece.text):
            if _BREAK.fullmatch(text):
                yield texts, piece.kind
                texts = []
            elif text:
                texts.append(Piece(piece.kind, text, piece.quoted))
    yield texts, None
