"""The blocks of a text: headings, paragraphs, list items, quotes, code and rows of tables, without formatting inside."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

from ledgerpress.features.posts.body.footnotes import BACK_ROLE

CELL_END: Final = "\1"
"""Separates the cells in the text of a row."""
_RESERVED: Final = str.maketrans({"\0": "\N{REPLACEMENT CHARACTER}", CELL_END: "\N{REPLACEMENT CHARACTER}"})
_BREAK: Final = re.compile(r"\n{2,}")
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_CONTAINERS: Final = frozenset({"blockquote", "ul", "ol", "li", "table", "thead"})
_BLOCKS: Final = frozenset(
    {
        *_HEADINGS,
        *_CONTAINERS,
        *("p", "pre", "hr", "tbody", "tr", "th", "td"),
        *("section", "details", "summary", "figure", "figcaption"),
    }
)


@dataclass(frozen=True, slots=True)
class Container:
    """An element that contains blocks. `number` identifies it; `value` is the number of an item in an ordered list."""

    tag: str
    number: int
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its tag (`p`, `pre`, `tr` or a heading), its text, and the elements that contain it, outermost first."""

    tag: str
    text: str
    containers: tuple[Container, ...] = ()

    @property
    def kind(self) -> str:
        """What the block is and where: blocks of the same kind differ only in their text."""
        return " ".join((*(container.tag for container in self.containers), self.tag))

    @property
    def heading_level(self) -> int | None:
        """The level from 1 to 6, `None` for other blocks."""
        return int(self.tag[1]) if self.tag in _HEADINGS else None


def plain_blocks(text: str) -> list[Block]:
    """Return the paragraphs of a plain text, which are separated by blank lines."""
    return [Block("p", part.translate(_RESERVED)) for part in _BREAK.split(text) if part]


def blocks_of(html: str, numbers: Iterator[int]) -> list[Block]:
    """Return the blocks of the sanitised HTML of a body. Its containers get the next `numbers`.

    An image is replaced by its description, and the box of a task by a character.
    """
    reader = _Reader(numbers)
    reader.feed(html)
    reader.close()
    reader.end_block()
    return reader.blocks


class _Reader(HTMLParser):
    def __init__(self, numbers: Iterator[int]) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._numbers = numbers
        self._containers: list[Container] = []
        self._items: list[int] = []
        """The number of the next item of each open list; 0 in lists without numbers."""
        self._cells: list[str] | None = None
        self._parts: list[str] = []
        self._tag = "p"
        self._is_backlink = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag in _BLOCKS:
            self.end_block()
            if tag == "tr":
                self._cells = []
            elif tag in _CONTAINERS:
                self._open(tag, attributes)
            elif tag == "pre" or tag in _HEADINGS:
                self._tag = tag
        elif tag == "br":
            self._parts.append("\n")
        elif tag == "img":
            self._parts.append(attributes.get("alt") or "")
        elif tag == "input":
            self._parts.append("☑ " if "checked" in attributes else "☐ ")
        elif tag == "a":
            self._is_backlink = attributes.get("role") == BACK_ROLE

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._is_backlink = False
        if tag not in _BLOCKS:
            return
        if tag in {"th", "td"} and self._cells is not None:
            self._cells.append(self._text().replace("\n", " "))
        elif tag == "tr" and self._cells is not None:
            cells, self._cells = self._cells, None
            if any(cells):
                self.blocks.append(Block("tr", CELL_END.join(cells), tuple(self._containers)))
        else:
            self.end_block()
        if tag in _CONTAINERS:
            self._containers.pop()
            if tag in {"ul", "ol"}:
                self._items.pop()

    def handle_data(self, data: str) -> None:
        if not self._is_backlink:
            self._parts.append(data if self._tag == "pre" else data.replace("\n", " "))

    def end_block(self) -> None:
        """Add the text that was read since the last block. Cells of a row are added with the row."""
        if self._cells is None and (text := self._text()):
            self.blocks.append(Block(self._tag, text, tuple(self._containers)))
        if self._cells is None:
            self._tag = "p"

    def _open(self, tag: str, attributes: dict[str, str | None]) -> None:
        value = None
        if tag == "ol":
            self._items.append(int(attributes.get("start") or 1))
        elif tag == "ul":
            self._items.append(0)
        elif tag == "li" and self._items and any(each.tag == "ol" for each in self._containers[-1:]):
            value = self._items[-1]
            self._items[-1] += 1
        self._containers.append(Container(tag, next(self._numbers), value))

    def _text(self) -> str:
        text = "".join(self._parts).translate(_RESERVED)
        self._parts = []
        return text.strip("\n") if self._tag == "pre" and text.strip() else text.strip()
