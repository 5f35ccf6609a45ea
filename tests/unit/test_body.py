"""Rendering the Markdown of a body: HTML, plain text, sections, safety, bounded work and teasers."""

import time
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from ledgerpress.features.posts.body.bounded_markdown_parsing import MOST_STEPS
from ledgerpress.features.posts.body.html_rendering_and_sections import RenderedBody, Section, forget, render
from ledgerpress.features.posts.body.plain_text import derived_teaser, reading_minutes, word_count

HEADINGS = {f"h{level}" for level in range(1, 7)}
ALLOWED = {
    **{tag: {"id"} for tag in HEADINGS},
    **{tag: set() for tag in ("p", "br", "hr", "blockquote", "pre", "em", "strong", "s", "ul", "li")},
    **{tag: set() for tag in ("table", "thead", "tbody", "tr")},
    "a": {"href", "title", "rel"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "code": {"class"},
    "th": {"align"},
    "td": {"align"},
}


class Reader(HTMLParser):
    """The elements that a browser would find, in order, and the text with the descriptions of images."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        self.text += attributes["alt"] if tag == "img" else " " * (tag == "br")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment survived: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration survived: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction survived: {data}")


def assert_harmless(html: str) -> None:
    for tag, attributes in Reader(html).elements:
        assert tag in ALLOWED
        assert attributes.keys() <= ALLOWED[tag]
        if tag == "code" and "class" in attributes:
            assert attributes["class"].startswith("language-")
        if tag == "a":
            assert attributes["rel"] == "noopener"
            assert_scheme(attributes.get("href", ""), {"", "http", "https", "mailto"})
        assert_scheme(attributes.get("src", ""), {"", "http", "https"})


def assert_scheme(url: str, allowed: set[str]) -> None:
    # Browsers ignore control characters and spaces when they parse a scheme.
    bare = "".join(character for character in url if character > " " and character != "\x7f")
    scheme, colon, _ = bare.partition(":")
    if colon and not set(scheme) & set("/?#"):
        assert scheme.lower() in allowed


# --- rendering ---


def test_a_body_gives_html_text_sections_and_length() -> None:
    body = render(
        '## The pier\n\nIt is *long* and **old**.\nA `plank` is [missing](https://example.org/a "Why").\n\n'
        "## The pier\n\n- one\n- two\n\n```python\nx = 1\n```\n\n| a | b |\n| - | -: |\n| ~~1~~ | 2 |\n"
    )
    assert body.html == (
        '<h2 id="the-pier">The pier</h2>\n'
        "<p>It is <em>long</em> and <strong>old</strong>.\n"
        'A <code>plank</code> is <a href="https://example.org/a" title="Why" rel="noopener">missing</a>.</p>\n'
        '<h2 id="the-pier-2">The pier</h2>\n'
        "<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n"
        '<pre><code class="language-python">x = 1\n</code></pre>\n'
        "<table>\n<thead>\n<tr>\n<th>a</th>\n"
        '<th align="right">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td><s>1</s></td>\n'
        '<td align="right">2</td>\n</tr>\n</tbody>\n</table>\n'
    )
    assert body.text == (
        "The pier\n\nIt is long and old. A plank is missing.\n\nThe pier\n\none\n\ntwo\n\nx = 1\n\na\tb\n1\t2"
    )
    assert body.lead == "It is long and old. A plank is missing."
    assert body.sections == (Section(2, "The pier", "the-pier"), Section(2, "The pier", "the-pier-2"))
    assert (body.length.words, body.length.reading_minutes) == (21, 1)


def test_the_text_contains_hard_breaks_and_descriptions_of_images() -> None:
    body = render("Line one  \nline two ![a *small* boat](https://example.org/b.png)")
    assert body.text == "Line one\nline two a small boat"
    assert '<img src="https://example.org/b.png" alt="a small boat">' in body.html


def test_an_empty_body_is_empty() -> None:
    assert render("") == RenderedBody(html="", text="", lead="", sections=())
    assert render(" \n\n\t") == render("")


def test_raw_html_is_shown_as_text() -> None:
    body = render("<b>bold</b>\n\n<div>\nblock\n</div>\n\n<!-- note -->")
    assert "<b>" not in body.html
    assert body.text == "<b>bold</b>\n\n<div> block </div>\n\n<!-- note -->"


def test_the_same_body_is_rendered_once() -> None:
    assert render("Once.") is render("Once.")
    long = "Twice. " * 10_000
    assert render(long) is render(long)


# --- sections ---


@pytest.mark.parametrize(
    ("markdown", "anchors"),
    [
        ("# One\n# One\n# One", ["one", "one-2", "one-3"]),
        ("# One\n# One-2\n# One", ["one", "one-2", "one-3"]),
        ("# One\n# One\n# One-2", ["one", "one-2", "one-2-2"]),
        ("# !!!\n#\n# …", ["section", "section-2", "section-3"]),
        ("# Cafe\u0301 & Ström", ["café-ström"]),
        ("# 潮の 話", ["潮の-話"]),
        ("# हिन्दी शीर्षक", ["हिन्दी-शीर्षक"]),
        ("Setext\n===\n\n> ### Quoted `code`", ["setext", "quoted-code"]),
        ("# İstanbul gezi rehberi", ["istanbul-gezi-rehberi"]),
        ("# DİYARBAKIR ve Şanlıurfa İli", ["diyarbakir-ve-şanlıurfa-ili"]),
        ("# AMBARLARDA YENİ İŞÇİ\n# İ", ["ambarlarda-yeni-işçi", "i"]),
        # Links lead to anchors, so anchors that were not broken are those of earlier versions.
        ("# İzmir\n# Izmir\n# İzmir\n# Izmir", ["izmir-3", "izmir", "izmir-4", "izmir-2"]),
        ("# L’été à Hawai‘i\n# ﬁ\n# Ada’s", ["lété-à-hawai-i", "ﬁ", "adas"]),
        ("# می\u200cخواهم", ["میخواهم"]),
    ],
)
def test_anchors(markdown: str, anchors: list[str]) -> None:
    assert [section.anchor for section in render(markdown).sections] == anchors


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.text(alphabet="aA-2 #é潮!\u0301", max_size=6)), max_size=12))
def test_every_heading_has_a_unique_id(headings: list[tuple[int, str]]) -> None:
    body = render("\n\n".join(f"{'#' * level} {title}" for level, title in headings))
    ids = [attributes["id"] for tag, attributes in Reader(body.html).elements if tag in HEADINGS]
    assert ids == [section.anchor for section in body.sections]
    assert len(set(ids)) == len(ids) == len(headings)
    assert all(anchor and anchor == unicodedata.normalize("NFC", anchor.lower()) for anchor in ids)


# --- safety ---

FRAGMENTS = [
    *(
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<a href='javascript:x'>",
    ),
    *(
        "</p>",
        "<p onclick=x>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?php",
        "<!DOCTYPE html>",
        "<style>",
        "</style>",
    ),
    *(
        "<iframe src=//example.org>",
        "<math><mtext></math>",
        "<noscript>",
        "<template>",
        '" onmouseover="x',
        "' x='",
    ),
    *("[x](javascript:alert(1))", "[x](JaVa\tScript:x)", "[x](&#106;avascript:x)", "[x](&#x1;javascript:x)"),
    *(
        "[x](data:text/html,x)",
        "![x](data:image/png;base64,AA)",
        "![x](javascript:x)",
        "![x](mailto:x@example.org)",
    ),
    *(
        "[x](vbscript:x)",
        "[x](file:///etc)",
        "[x](//example.org)",
        "[x](/a)",
        "[x](#a)",
        "[x](https://example.org)",
    ),
    *(
        "<javascript:alert(1)>",
        "<data:text/html,x>",
        "<https://example.org>",
        "<a@example.org>",
        "[x][r]",
        "![x][r]",
    ),
    *(
        "\n\n[r]: javascript:x\n\n",
        "\n\n[r]: data:x\n\n",
        "[x](x \"' onclick='x\")",
        '\n```" onclick=x\n',
        "\n# <b id=x>\n",
    ),
    *(
        "`",
        "*",
        "_",
        "~~",
        "[",
        "]",
        "(",
        ")",
        "\n",
        "\n\n",
        "> ",
        "- ",
        "1. ",
        "\\",
        "&lt;",
        "&",
        "|",
        "\n|-|-|\n",
        "\0",
    ),
]
hostile = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=4)), max_size=14).map("".join)


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_each_hostile_fragment_is_harmless(fragment: str) -> None:
    assert_harmless(render(fragment).html)


@settings(max_examples=400, deadline=None)
@given(hostile)
def test_hostile_html_never_survives(markdown: str) -> None:
    assert_harmless(render(markdown).html)


@pytest.mark.parametrize("scheme", ["javascript", "JAVASCRIPT", "data", "vbscript", "file", "blob", "ftp"])
def test_a_url_with_another_scheme_stays_text(scheme: str) -> None:
    body = render(f"[a]({scheme}:b) <{scheme}:b>")
    assert Reader(body.html).elements == [("p", {})]
    assert f"[a]({scheme}:b)" in body.text


@settings(deadline=None)
@given(st.text())
@example("\ud800 \0 \udfff")
@example("[a]: <>\n[a] &#0; &#xD800; &#1114112;")
def test_any_string_can_be_rendered(markdown: str) -> None:
    body = render(markdown)
    assert_harmless(body.html)
    assert body.lead in body.text
    (body.html + body.text).encode()  # raises an error if there is a lone surrogate
    assert (body.length.reading_minutes > 0) == (body.length.words > 0)


@settings(max_examples=300, deadline=None)
@given(hostile)
def test_the_text_equals_the_text_of_the_html(markdown: str) -> None:
    body = render(markdown)
    assert "".join(body.text.split()) == "".join(Reader(body.html).text.split())


# --- hostile sizes ---

HOSTILE: dict[str, Callable[[int], str]] = {
    "brackets": lambda n: "[" * n,
    "images": lambda n: "![" * (n // 2),
    "nested brackets": lambda n: "[" * (n // 2) + "]" * (n // 2),
    "open links": lambda n: "[a](" * (n // 4),
    "open references": lambda n: "[a][" * (n // 4),
    "nested images": lambda n: "![" * (n // 6) + "](u)" * (n // 6),
    "stars": lambda n: "*a " * (n // 3),
    "stars and underscores": lambda n: "*a_ " * (n // 4),
    "nested emphasis": lambda n: "*a " * (n // 6) + "b* " * (n // 6),
    "quotes": lambda n: "> " * (n // 2) + "a",
    "lists": lambda n: "- " * (n // 2) + "a",
    "backticks": lambda n: "".join("e" + "`" * i for i in range(int((2 * n) ** 0.5))),
    "angles": lambda n: "<a " * (n // 3),
    "table": lambda n: "|a" * 100 + "\n" + "|-" * 100 + "\n" + "a\n" * (n // 2),
    "headings": lambda n: "# a\n" * (n // 4),
    "numbered headings": lambda n: "".join(f"# a-{i}\n# a\n" for i in range(n // 12)),
    "definitions": lambda n: "".join(f"[{i}]: /u\n" for i in range(n // 12)),
    "one definition used often": lambda n: f"[a]: /{'u' * (n // 2)}\n\n" + "[a]" * (n // 6),
    "entities": lambda n: "&a" * (n // 2),
    "spaces": lambda n: "a" + " " * n + "b",
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.slow
def test_time_and_size_grow_no_faster_than_the_body(kind: str) -> None:
    small, large = 10_000, 80_000

    def seconds(length: int) -> float:
        markdown = HOSTILE[kind](length)
        started = time.process_time()
        assert len(render(markdown).html) < 20 * length + 1_000_000
        return time.process_time() - started

    # For 8 times the length, linear work takes 8 times as long, and quadratic work 64 times. Noise only adds time.
    assert min(seconds(large) for _ in range(3)) < 25 * max(seconds(small), 0.02)


LONGEST_BODY = 262_144
"""The size limit of a body, in bytes."""


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.slow
def test_the_work_for_the_longest_body_is_bounded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work = 0

    def count_calls(owner: type, name: str, cost: int) -> None:
        original = getattr(owner, name)

        def count(self: Any, *arguments: Any) -> Any:
            nonlocal work
            work += cost
            return original(self, *arguments)

        monkeypatch.setattr(owner, name, count)

    count_calls(StateBlock, "push", 1)
    count_calls(StateInline, "push", 1)
    count_calls(StateInline, "pushPending", 1)
    count_calls(ParserInline, "skipToken", 1)
    forget()
    render(HOSTILE[kind](LONGEST_BODY))
    forget()
    assert work <= 1.01 * MOST_STEPS


def test_long_prose_is_rendered_but_a_long_body_of_only_markup_is_shown_as_source() -> None:
    prose = "The *old* [pier](https://example.org/pier) was `long`, and **nobody** knew how long.\n\n"
    assert "<em>old</em>" in render(prose * (LONGEST_BODY // len(prose))).html
    images = "![" * (LONGEST_BODY // 2)
    body = render(images)
    assert body.html == f"<pre><code>{images}</code></pre>\n"
    assert (body.text, body.sections) == (images, ())
    assert render(images[:1000]).html == f"<p>{images[:1000]}</p>\n"


# --- length ---


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("… — !", 0),
        ("one two\nthree\n\nfour", 4),
        ("state-of-the-art isn’t 3.14", 3),
        ("word—word", 2),
        ("हिन्दी में पाँच शब्द हैं", 5),
        ("潮の話", 3),
        ("テスト one 試験", 6),
        ("한국어 단어 셋", 3),
        ("ภาษาไทย", 2),
    ],
)
def test_words_are_counted_in_any_script(text: str, words: int) -> None:
    assert word_count(text) == words


@pytest.mark.parametrize(("words", "minutes"), [(0, 0), (1, 1), (238, 1), (239, 2), (2380, 10)])
def test_reading_time_is_rounded_up(words: int, minutes: int) -> None:
    assert reading_minutes(words) == minutes


# --- teasers ---


def test_a_short_first_paragraph_is_the_teaser() -> None:
    assert derived_teaser("One line\nand another.\n\nNot this.") == "One line and another."
    assert derived_teaser("") == ""


def test_a_long_paragraph_is_cut_between_words() -> None:
    assert derived_teaser("The tide comes in, and the wheel turns.", 20) == "The tide comes in…"
    assert derived_teaser("The tide comes in now.", 17) == "The tide comes…"
    assert derived_teaser("潮" * 300, 10) == "潮" * 9 + "…"
    assert derived_teaser("e\u0301" * 10, 10) == "e\u0301" * 4 + "…"


def test_the_limit_of_a_teaser_is_at_least_1() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        derived_teaser("text", 0)


@settings(deadline=None)
@given(st.text(), st.integers(min_value=1, max_value=40))
def test_a_teaser_is_the_beginning_of_the_text(text: str, limit: int) -> None:
    teaser = derived_teaser(text, limit)
    normalized = " ".join(text.split())
    assert len(teaser) <= limit
    assert normalized.startswith(teaser) or (teaser.endswith("…") and normalized.startswith(teaser[:-1]))
