"""The difference between two texts for pages: its blocks, whatever they are, and its bounded cost."""

import itertools
import time
from random import Random
from typing import Final

from ledgerpress.features.posts.body.html_rendering_and_sections import render
from ledgerpress.features.posts.text_diff import SpanKind
from ledgerpress.features.public_history.difference_html import inline_html, sides_html
from ledgerpress.features.public_history.text_blocks import CELL_END, Block, blocks_of, plain_blocks
from ledgerpress.features.public_history.text_changes import PARAGRAPH_MARK, TextChange, text_change

PARTS: Final = (
    "One paragraph of text.", "Another paragraph, with more words.", "# A heading", "## A second heading",
    "- an item\n- another item\n\n  with two paragraphs", "1. first\n2. second", "> a quote\n>\n> - with a list",
    "| a | b |\n| - | - |\n| 1 | 2 |\n| 3 | 4 |", "```\ncode = 1\n\nmore = 2\n```", "- [x] done\n- [ ] open",
    "Text with a note.[^1]\n\n[^1]: The note.", "<details><summary>More</summary>\n\nHidden.\n\n</details>", "a\0b \x01 c",
)  # fmt: skip


def side(change: TextChange, kind: SpanKind) -> list[str]:
    """Return the text of one side, without the marks for divided and joined blocks."""
    return [
        piece.text
        for row in change.rows
        for piece in row.pieces
        if piece.kind in (SpanKind.EQUAL, kind) and piece.text != PARAGRAPH_MARK
    ]


def joined(blocks: list[Block]) -> str:
    return "".join(block.text for block in blocks)


def test_each_side_has_its_whole_text_and_the_html_is_balanced() -> None:
    chance = Random(7)
    for _ in range(300):
        sources = ["\n\n".join(chance.choices(PARTS, k=chance.randint(0, 6))) for _ in range(2)]
        if chance.random() < 0.5:
            sources[1] = sources[0].replace("a", "the", chance.randint(1, 4))
        numbers = itertools.count()
        before, after = (blocks_of(render(source).html, numbers) for source in sources)
        change = text_change(before, after)
        assert "".join(side(change, SpanKind.DELETE)) == joined(before)
        assert "".join(side(change, SpanKind.INSERT)) == joined(after)
        assert change.is_change == ([(b.kind, b.text) for b in before] != [(b.kind, b.text) for b in after])
        for html in (inline_html(change, 4), *itertools.chain(*(row[:2] for row in sides_html(change, 4)))):
            for tag in ("ul", "ol", "li", "table", "blockquote", "tr", "p", "ins", "del"):
                assert html.count(f"<{tag}>") + html.count(f"<{tag} ") == html.count(f"</{tag}>"), html


def test_text_that_looks_like_html_is_escaped() -> None:
    change = text_change(plain_blocks("a <b>"), plain_blocks("a <script>"))
    assert "<script>" not in inline_html(change, 4)
    assert "&lt;<del>b</del><ins>script</ins>&gt;" in inline_html(change, 4)


def test_rows_of_tables_have_cells() -> None:
    blocks = blocks_of(render("| a | b |\n| - | - |\n| 1 | 2 |\n").html, itertools.count())
    assert [(block.kind, block.text) for block in blocks] == [
        ("table thead tr", f"a{CELL_END}b"),
        ("table tr", f"1{CELL_END}2"),
    ]


def test_a_long_text_that_is_all_new_is_compared_block_by_block() -> None:
    chance = Random(1)
    words = ["".join(chance.choices("abcdefgh", k=6)) for _ in range(3_000)]

    def text() -> list[Block]:
        return plain_blocks("\n\n".join(" ".join(chance.choices(words, k=60)) for _ in range(400)))

    before, after = text(), text()
    change = text_change(before, after)
    older = [row.older for row in change.rows if row.older]
    assert list(dict.fromkeys(older)) == before
    assert all(
        before.index(row.older) == after.index(row.newer) for row in change.rows if row.older and row.newer
    )


def test_a_passage_is_found_across_white_space_and_blocks() -> None:
    text = plain_blocks("a  b\n\nthe  long\n\npassage\tends here")
    for passage, expected in (("long passage ends", ["long", "passage\tends"]), ("ng pass", ["ng", "pass"])):
        change = text_change(text, text, [passage])
        quoted = [piece.text for row in change.rows for piece in row.pieces if piece.quoted]
        assert quoted == expected


def test_a_search_for_a_passage_that_nearly_occurs_everywhere_is_quick() -> None:
    end = plain_blocks("a " * 100_000 + "c")

    def seconds(passages: list[str]) -> float:
        started = time.process_time()
        text_change(plain_blocks("a " * 100_000 + "b"), end, passages)
        return time.process_time() - started

    seconds([])
    assert seconds(["a " * 499 + "b"]) < 4 * max(seconds([]), 0.05)
