"""The HTML of a difference between two texts: as one text, and side by side.

New words are in `ins`, former ones in `del`, and passages that a correction quotes in `mark`. A block that is new or former
as a whole has the class `inserted` or `deleted`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from markupsafe import Markup, escape

from ledgerpress.features.public_history.text_blocks import Container
from ledgerpress.features.public_history.text_changes import Piece, Run, ShownBlock, TextChange

_LEAST_HEADING: Final = 6
_TABLE: Final = "table"
_SCROLLING: Final = Markup('<div class="scroll" tabindex="0"><table>')
_END_OF_SCROLLING: Final = Markup("</table></div>")


def inline_html(change: TextChange, level: int) -> Markup:
    """Return both texts as one. The highest headings of the texts get `level`."""
    text = change.one_text
    parts = [
        _closed(shown.closed) + _opened(shown.opened) + _block(shown, change, level) for shown in text.blocks
    ]
    return Markup("\n").join(parts) + _closed(text.closed)


def sides_html(change: TextChange, level: int) -> list[tuple[Markup, Markup, bool]]:
    """Return the rows of both texts side by side: the older block, the newer one, and whether they differ."""
    rows = []
    for row in change.rows:
        older, newer = (_alone(shown, change, level) if shown else Markup() for shown in row.sides)
        rows.append((older, newer, row.is_changed))
    return rows


def _alone(shown: ShownBlock, change: TextChange, level: int) -> Markup:
    """Return a block with everything that contains it."""
    return _opened(shown.opened) + _block(shown, change, level) + _closed(shown.closed)


def _block(shown: ShownBlock, change: TextChange, level: int) -> Markup:
    block, attributes = shown.block, Markup()
    if shown.is_inserted or shown.is_deleted:
        attributes = Markup(' class="inserted"') if shown.is_inserted else Markup(' class="deleted"')
    if block.tag == "tr":
        cells = (_element("th" if shown.is_header else "td", _runs(cell)) for cell in shown.cells)
        return Markup("<tr{}>{}</tr>").format(attributes, Markup().join(cells))
    tag = block.tag
    if block.heading_level:
        tag = f"h{min(level + block.heading_level - change.heading_level, _LEAST_HEADING)}"
    return _element(tag, _runs(shown.cells[0]), attributes)


def _element(tag: str, content: Markup, attributes: Markup = Markup()) -> Markup:  # noqa: B008 - immutable
    return Markup("<{0}{1}>{2}</{0}>").format(tag, attributes, content)


def _runs(runs: Iterable[Run]) -> Markup:
    parts = []
    for run in runs:
        html = Markup().join(map(_piece, run.pieces))
        parts.append(Markup("<mark>{}</mark>").format(html) if run.is_passage else html)
    return Markup().join(parts)


def _piece(piece: Piece) -> Markup:
    if piece.is_inserted:
        return Markup("<ins>{}</ins>").format(piece.text)
    return Markup("<del>{}</del>").format(piece.text) if piece.is_deleted else escape(piece.text)


def _opened(containers: Iterable[Container]) -> Markup:
    tags = []
    for container in containers:
        value = "" if container.value is None else Markup(' value="{}"').format(container.value)
        is_table = container.tag == _TABLE
        tags.append(_SCROLLING if is_table else Markup("<{}{}>").format(container.tag, value))
    return Markup().join(tags)


def _closed(tags: Sequence[str]) -> Markup:
    return Markup().join(_END_OF_SCROLLING if tag == _TABLE else Markup("</{}>").format(tag) for tag in tags)
