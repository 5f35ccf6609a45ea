"""The Markdown that newsrooms write: GitHub's extensions, footnotes, a few HTML tags, Chinese, Japanese and Korean."""

import re
import time
from collections.abc import Callable
from html import escape
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerpress.features.posts.body.harmless_html import ATTRIBUTES, BLOCK_TAGS, INLINE_TAGS
from ledgerpress.features.posts.body.html_rendering_and_sections import (
    RenderedBody,
    forget,
    render,
    teaser_of,
)
from ledgerpress.features.posts.body.plain_text import reading_minutes


def html_of(markdown: str) -> str:
    return render(markdown).html.strip()


# --- emphasis next to Chinese, Japanese and Korean characters ---

REPORTED = [
    # commonmark/commonmark-spec#650
    ("**真，**她", "<strong>真，</strong>她"),
    ("**真。**她", "<strong>真。</strong>她"),
    ("**真？**她", "<strong>真？</strong>她"),
    ("**真”**她", "<strong>真”</strong>她"),
    ("**真）**她", "<strong>真）</strong>她"),
    ("**真》**她", "<strong>真》</strong>她"),
    ("**真…**她", "<strong>真…</strong>她"),
    ("**真-**她", "<strong>真-</strong>她"),
    ("她**《真》**她", "她<strong>《真》</strong>她"),
    # commonmark/commonmark-spec#839
    ("これは**「重要なこと」**です。", "これは<strong>「重要なこと」</strong>です。"),
    ("这是**我想做的事。**所以继续。", "这是<strong>我想做的事。</strong>所以继续。"),
    ("때 **마크다운(Markdown)**을 사용하세요.", "때 <strong>마크다운(Markdown)</strong>을 사용하세요."),
    # markedjs/marked#3617
    ("**マークダウン(Markdown)**の 文法(Syntax).", "<strong>マークダウン(Markdown)</strong>の 文法(Syntax)."),
    # mdn/translated-content#28696
    ("**글리프(Glyph)**는", "<strong>글리프(Glyph)</strong>는"),
    # krafton-ai/KIRA#26
    (
        "**KRIS (KRAFTON Intelligence System)**를",
        "<strong>KRIS (KRAFTON Intelligence System)</strong>를",
    ),
    # jlevy/the-art-of-command-line#651
    ("예를 들면 **alt-.**같은 경우", "예를 들면 <strong>alt-.</strong>같은 경우"),
    ("ctrl-v **[Tab]**키를 누르거나", "ctrl-v <strong>[Tab]</strong>키를 누르거나"),
    # rust-lang/mdBook#376
    ("*가비지 콜렉터(GC)*는", "<em>가비지 콜렉터(GC)</em>는"),
    # luciancah/nextjs-ko#143
    ("**단위 테스트(Unit Testing)**에", "<strong>단위 테스트(Unit Testing)</strong>에"),
    # agegr/pi-web#385, markedjs/marked#3337, adobe/helix-pipeline#897
    ("**5~7U 保证金 × 100~200倍杠杆**", "<strong>5~7U 保证金 × 100~200倍杠杆</strong>"),
    ("age(1~3), hight(80~100)", "age(1~3), hight(80~100)"),
    ("20~30명, 40~50명", "20~30명, 40~50명"),
    # chatboxai/chatbox#1856
    ("喵呜~♡这就为您呈上呦~", "喵呜~♡这就为您呈上呦~"),
    # the same for other markers, and with a variation selector between
    ("彼は~~「嘘」~~と言った", "彼は<s>「嘘」</s>と言った"),
    ("葛\U000e0100**（かつら）**です", "葛\U000e0100<strong>（かつら）</strong>です"),
    ("ﾃｽﾄ**｢ｶﾅ｣**です", "ﾃｽﾄ<strong>｢ｶﾅ｣</strong>です"),
]


@pytest.mark.parametrize(("markdown", "html"), REPORTED)
def test_emphasis_next_to_cjk_characters(markdown: str, html: str) -> None:
    assert html_of(markdown) == f"<p>{html}</p>"


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ('a**"b"**c', 'a**"b"**c'),
        ("**a.**b", "**a.**b"),
        ("a * b * c", "a * b * c"),
        ("snake_case_name", "snake_case_name"),
        ("_a_ (_b_) **c**.", "<em>a</em> (<em>b</em>) <strong>c</strong>."),
        ("a**🎉**b", "a**🎉**b"),
        ("潮 ** 話 **", "潮 ** 話 **"),
    ],
)
def test_other_emphasis_follows_commonmark(markdown: str, html: str) -> None:
    assert html_of(markdown) == f"<p>{html}</p>"


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet="潮の話。「」（）、テスト한국어", min_size=1, max_size=5),
    st.text(alphabet="潮の話。「」（）、テスト한국어", min_size=1, max_size=5),
    st.text(alphabet="潮の話。「」（）、テスト한국어", min_size=1, max_size=5),
)
def test_stars_between_cjk_characters_always_emphasise(before: str, inside: str, after: str) -> None:
    assert html_of(f"{before}**{inside}**{after}") == f"<p>{before}<strong>{inside}</strong>{after}</p>"


# --- GitHub's extensions ---


def test_task_lists() -> None:
    assert html_of("- [x] done\n- [ ] to *do*\n- [x]no\n") == (
        '<ul>\n<li class="task-list-item"><input disabled="" type="checkbox" checked=""> done</li>\n'
        '<li class="task-list-item"><input disabled="" type="checkbox"> to <em>do</em></li>\n'
        "<li>[x]no</li>\n</ul>"
    )


def test_strikethrough_with_one_or_two_tildes() -> None:
    assert html_of("~~Hi~~ Hello, ~there~ world!") == "<p><s>Hi</s> Hello, <s>there</s> world!</p>"
    assert html_of("This will ~~~not~~~ strike.") == "<p>This will ~~~not~~~ strike.</p>"
    # mity/md4c#246
    for paths in ("“~/.bashrc” “~/.profile”", "(~/a) and (~/b)", "~/a/~/b"):
        assert html_of(paths) == f"<p>{paths}</p>"
    assert html_of("~old~/new") == "<p><s>old</s>/new</p>"


LINKED = [
    ("www.commonmark.org", "www.commonmark.org"),
    ("Visit www.commonmark.org/help for more", "www.commonmark.org/help"),
    ("Visit https://commonmark.org/a.b.", "https://commonmark.org/a.b"),
    ("www.example.org/search?q=Markup+(business)))", "www.example.org/search?q=Markup+(business)"),
    ("(see https://example.org/a_(b))", "https://example.org/a_(b)"),
    ("www.example.org/search?q=(business))+ok", "www.example.org/search?q=(business))+ok"),
    ("www.example.org/search?q=commonmark&hl;", "www.example.org/search?q=commonmark"),
    ("**https://example.org**", "https://example.org"),
    ("https://example.org/__init__.py and *more*", "https://example.org/__init__.py"),
    ("https://example.org/~user/~other/", "https://example.org/~user/~other/"),
    ("Https://Example.org/A", "Https://Example.org/A"),
    ("“https://example.org/a”", "https://example.org/a"),
    # github/cmark-gfm#83
    ("https://github.com。", "https://github.com"),
    ("https://github.com，", "https://github.com"),
    ("https://github.com“", "https://github.com"),
    # openchamber/openchamber#3039
    ("https://example.com/docs（中文说明）了解更多", "https://example.com/docs"),
    ("https://example.com/安装包（正式版）", "https://example.com/安装包"),
    # linkifyjs#82, markdown-it/linkify-it#15, Autolinker.js#394
    ("当当网http://t.cn/RUy3HJN《一尺闲梦》", "http://t.cn/RUy3HJN"),
    ("http://t.cn/RZwjG7U（分享自 @酷6网）", "http://t.cn/RZwjG7U"),
    ("こちら→https://google.com", "https://google.com"),
    ("链接:https://www.google.com", "https://www.google.com"),
    # email addresses
    ("Write to first_last+tag@example.org.", "first_last+tag@example.org"),
    ("a.b-c_d@a.b", "a.b-c_d@a.b"),
]


@pytest.mark.parametrize(("markdown", "linked"), LINKED)
def test_bare_urls_and_addresses_become_links(markdown: str, linked: str) -> None:
    body = render(markdown)
    assert f">{linked}</a>" in body.html
    assert body.html.count("<a ") == 1
    prefix = "mailto:" if "@" in linked else "http://" if linked.startswith("www.") else ""
    assert f'href="{prefix}{linked}"' in body.html or not linked.isascii() or "Example" in linked
    assert body.text == markdown.replace("*", "")


@pytest.mark.parametrize(
    ("markdown", "linked"),
    [
        (r"https://example.org/a\_b\*c", "https://example.org/a_b*c"),
        (r"https://example.org/\~user/\_x\_.", "https://example.org/~user/_x"),
        (r"first\_last@example.org", "first_last@example.org"),
        (r"www.example.org/?a=1\&amp;b=2", "www.example.org/?a=1&amp;amp;b=2"),
    ],
)
def test_escapes_in_a_url_are_escapes(markdown: str, linked: str) -> None:
    body = render(markdown)
    assert f">{linked}</a>" in body.html
    assert "\\" not in body.html + body.text
    assert "%5C" not in body.html


@pytest.mark.parametrize(
    "markdown",
    [
        "http://",
        "https://localhost",
        "xwww.example.org",
        "hmmmm@example",
        "a@b@c.d",
        "http://a_b.c",
        "@a.b",
        "ftp://a.b",
    ],
)
def test_other_text_does_not_become_a_link(markdown: str) -> None:
    assert html_of(markdown) == f"<p>{markdown}</p>"


def test_urls_in_links_and_code_stay_as_they_are() -> None:
    assert html_of("[https://a.org](https://b.org) `https://c.org`") == (
        '<p><a href="https://b.org" rel="noopener">https://a.org</a> <code>https://c.org</code></p>'
    )


def test_telephone_links() -> None:
    assert html_of("[Call](tel:+1-555-0100) or <sms:+15550100>") == (
        '<p><a href="tel:+1-555-0100" rel="noopener">Call</a> or '
        '<a href="sms:+15550100" rel="noopener">sms:+15550100</a></p>'
    )
    assert "<img alt=" in html_of("![Call](tel:+1-555-0100)")


# --- footnotes ---


def test_footnotes_follow_the_text_in_the_order_of_their_references() -> None:
    body = render(
        "Two[^b], one[^a], two again[^b].\n\n[^a]: Note *one*.\n[^b]: Note two.\n\n    With a second paragraph.\n\nEnd."
    )
    assert body.html == (
        '<p>Two<sup><a href="#note_1" id="noteref_1" role="doc-noteref" rel="noopener">[1]</a></sup>, '
        'one<sup><a href="#note_2" id="noteref_2" role="doc-noteref" rel="noopener">[2]</a></sup>, '
        'two again<sup><a href="#note_1" id="noteref_1_2" role="doc-noteref" rel="noopener">[1]</a></sup>.</p>\n'
        "<p>End.</p>\n"
        '<section role="doc-endnotes">\n<ol>\n<li id="note_1">\n<p>Note two.</p>\n<p>With a second paragraph. '
        '<a href="#noteref_1" role="doc-backlink" rel="noopener">\u21a9\ufe0e</a> '
        '<a href="#noteref_1_2" role="doc-backlink" rel="noopener">\u21a9\ufe0e</a></p>\n</li>\n'
        '<li id="note_2">\n<p>Note <em>one</em>. '
        '<a href="#noteref_2" role="doc-backlink" rel="noopener">\u21a9\ufe0e</a></p>\n</li>\n</ol>\n</section>\n'
    )
    assert body.text == (
        "Two[1], one[2], two again[1].\n\nEnd.\n\nNote two.\n\nWith a second paragraph.\n\nNote one."
    )
    assert body.lead == "Two, one, two again."


def test_the_title_of_a_section_has_no_footnote() -> None:
    (section,) = render("## The pier[^a]\n\n[^a]: Built in 1890.").sections
    assert (section.title, section.anchor) == ("The pier", "the-pier")


def test_ids_of_footnotes_differ_from_anchors() -> None:
    html = html_of("# note 1\n\n# note_1\n\n# noteref_1\n\nText[^a].\n\n[^a]: Note.")
    assert html.count('id="note_1"') == html.count('id="noteref_1"') == 1


def test_a_reference_without_a_note_stays_text() -> None:
    assert html_of("Text[^a].") == "<p>Text[^a].</p>"
    assert html_of("Text[^a].\n\n[^b]: Note.") == "<p>Text[^a].</p>\n<p>[^b]:</p>\n<p>Note.</p>"


def test_labels_of_footnotes_are_equal_in_upper_and_lower_case() -> None:
    html = html_of("Text[^Note] and[^STRASSE].\n\n[^note]: One.\n\n[^straße]: Two.\n\n[^NOTE]: Three.")
    assert html.count('role="doc-noteref"') == html.count('role="doc-backlink"') == 2
    assert "<p>[^NOTE]:</p>\n<p>Three.</p>" in html


# --- HTML ---

ELEMENTS = [
    ("H<sub>2</sub>O, x<sup>2</sup>", "H<sub>2</sub>O, x<sup>2</sup>"),
    ("Press <kbd>Ctrl</kbd>", "Press <kbd>Ctrl</kbd>"),
    ("<mark>new *and* bold</mark>", "<mark>new <em>and</em> bold</mark>"),
    ("*a <sup>b</sup>*", "<em>a <sup>b</sup></em>"),
    ("<ABBR title='World &amp; Co'>W</ABBR>", '<abbr title="World &amp; Co">W</abbr>'),
    ("<ins>a</ins> <del>b</del> <cite>c</cite> <small>d</small>",) * 2,
    ("<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby>",) * 2,
    ("a<br>b<br/>c", "a<br>\nb<br>\nc"),
    ('<sup class="x">1</sup>', "<sup>1</sup>"),
    (
        '<img src="/a.png" alt="A &quot;boat&quot;" width="20">',
        '<img src="/a.png" width="20" alt="A &quot;boat&quot;">',
    ),
]


@pytest.mark.parametrize(("markdown", "html"), ELEMENTS)
def test_harmless_elements(markdown: str, html: str) -> None:
    assert html_of(markdown) == f"<p>{html}</p>"


@pytest.mark.parametrize(
    "markdown",
    [
        *("<sup>a", "a</sup>", "<sup>a</sub>", "<br a='", "</br>", "<sup/>", "< sup>a</ sup>"),
        *("<b>a</b>", "<script>a</script>", "<span>a</span>", "<a href='/a'>a</a>", "<p>a</p>", "<input>"),
        *("<img src='javascript:a'>", "<img src='data:image/png;base64,AA'>", "<img alt='a'>"),
        *(
            "<sup style='a'>a</sup>",
            "<sup title='a'>a</sup>",
            "<details ontoggle='a'>a</details>",
            "a <figure>b</figure>",
        ),
        *(
            "<section role='doc-endnotes'>a</section>",
            "<img src='a' width='1%'>",
            "<iframe src='//a.org'></iframe>",
        ),
    ],
)
def test_other_html_is_text(markdown: str) -> None:
    body = render(markdown)
    assert body.text == markdown
    assert body.html == f"<p>{escape(markdown, quote=False)}</p>\n"


def test_the_documentation_lists_exactly_the_tags_and_attributes_that_have_an_effect() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "markdown.md").read_text(encoding="utf-8")
    rows = page.partition("| Tags | Attributes |")[2].partition("\n\n")[0].splitlines()[2:]
    documented: dict[str, set[str]] = {}
    for row in rows:
        tags, attributes = row.strip("|").split("|")
        documented |= {
            tag: set(re.findall("`([a-z]+)`", attributes)) for tag in re.findall("<([a-z]+)>", tags)
        }
    assert documented.keys() == {*BLOCK_TAGS, *INLINE_TAGS, "br", "img"}
    assert {tag: names for tag, names in documented.items() if names} == ATTRIBUTES


def test_elements_that_cross_markup_are_text() -> None:
    assert html_of("*a <sup>b* c</sup>") == "<p><em>a &lt;sup&gt;b</em> c&lt;/sup&gt;</p>"
    assert html_of("<sup>a <kbd>b</sup>") == "<p><sup>a &lt;kbd&gt;b</sup></p>"


def test_figures_and_details() -> None:
    figure = render(
        '<figure>\n<img src="/a.png" alt="A boat">\n<figcaption>The *boat*\nat sea</figcaption>\n</figure>'
    )
    assert figure.html == (
        '<figure><img src="/a.png" alt="A boat"><figcaption>The <em>boat</em>\nat sea</figcaption>\n</figure>\n'
    )
    assert (figure.text, figure.lead) == ("A boat\n\nThe boat at sea", "")
    assert html_of("<figure>\n\n![A boat](/a.png)\n\n</figure>") == (
        '<figure>\n<p><img src="/a.png" alt="A boat"></p>\n</figure>'
    )
    details = "<details open>\n<summary>More</summary>\n\n- one\n\n<details>\nInner\n</details>\n</details>\n\nText."
    assert html_of(details) == (
        '<details open="">\n<summary>More</summary>\n<ul>\n<li>one</li>\n</ul>\n'
        "<details>\n<p>Inner</p>\n</details>\n</details>\n<p>Text.</p>"
    )


def test_a_figure_copied_from_wordpress() -> None:
    figure = (
        '<figure class="wp-block-image size-large"><img src="/a.jpg" alt="A boat" class="wp-image-1" width="1024" '
        'height="683" srcset="/a.jpg 1024w" sizes="auto"/><figcaption class="wp-element-caption">At sea</figcaption>'
        "</figure>"
    )
    assert html_of(figure) == (
        '<figure><img src="/a.jpg" width="1024" height="683" alt="A boat"><figcaption>At sea</figcaption>\n</figure>'
    )


def test_a_block_that_is_not_complete_is_text() -> None:
    assert html_of("> <details>\n\n</details>") == (
        "<blockquote>\n<p>&lt;details&gt;</p>\n</blockquote>\n<p>&lt;/details&gt;</p>"
    )


# --- teasers ---

TEASERS = [
    ("![A boat](/a.png)\n\nThe tide came in.", "The tide came in."),
    ("![A boat](/a.png) ![A pier](/b.png)\n![A gull](/c.png)\n\nText.", "Text."),
    ("[![A boat](/a.png)](/large)\n\nText.", "Text."),
    ("[![A boat][a]][a]\n\nText.\n\n[a]: /a.png", "Text."),
    ("*![A boat](/a.png)*\n\nText.", "Text."),
    ("![A boat](/a.png) | ![A pier](/b.png)\n\nText.", "Text."),
    ("- ![A boat](/a.png)\n\n> ![A pier](/b.png)\n\nText.", "Text."),
    ('<img src="/a.png" alt="A boat">\n\nText.', "Text."),
    (
        '<figure>\n<img src="/a.png" alt="A boat">\n<figcaption>A caption</figcaption>\n</figure>\n\nText.',
        "Text.",
    ),
    ("![A boat](/a.png)\\\nThe tide came in.", "The tide came in."),
    ("The tide came in.\n![A boat](/a.png)", "The tide came in."),
    ("The ![tide](/a.png) came in.", "The tide came in."),
    ("![A boat](/a.png)", ""),
    ("\u200b\n\nText.", "Text."),
    ("&#x200b;\n\n*\u2060*\n\n\u2800\n\nText.", "Text."),
]


@pytest.mark.parametrize(("markdown", "teaser"), TEASERS)
def test_a_teaser_contains_no_description_of_an_image(markdown: str, teaser: str) -> None:
    assert teaser_of(markdown) == teaser


# --- length ---


@pytest.mark.parametrize(
    ("words", "characters", "minutes"),
    [
        (0, 0, 0),
        (0, 1, 1),
        (0, 500, 1),
        (0, 501, 2),
        (0, 5000, 10),
        (119, 250, 1),
        (119, 251, 2),
        (238, 500, 2),
    ],
)
def test_chinese_and_japanese_are_read_by_characters(words: int, characters: int, minutes: int) -> None:
    assert reading_minutes(words, characters) == minutes


def test_the_reading_time_of_a_body() -> None:
    def measured(body: RenderedBody) -> tuple[int, int]:
        return body.length.words, body.length.reading_minutes

    assert measured(render("潮" * 2500)) == (2500, 5)
    assert measured(render("テスト" * 1000 + " " + "word " * 238)) == (3238, 7)
    assert measured(render("한국어 " * 476)) == (476, 2)


# --- hostile sizes ---

HOSTILE: dict[str, Callable[[int], str]] = {
    "references to a note": lambda n: "[^a]: x\n\n" + "[^a]" * (n // 4),
    "open references": lambda n: "[^a]: x\n\n" + "[^" * (n // 2),
    "notes": lambda n: "".join(f"[^{i}]: x\n\n" for i in range(n // 12)),
    "nested notes": lambda n: "[^a]: " * (n // 6),
    "unused definitions": lambda n: "".join(f"[{i}]: /u\n" for i in range(n // 12)),
    "urls": lambda n: "http://a.b " * (n // 11),
    "one long url": lambda n: "http://a.b/" * (n // 11),
    "urls before punctuation": lambda n: "http://a.b。" * (n // 11),
    "url and parentheses": lambda n: "http://a.b/" + ")" * n,
    "url and entities": lambda n: "http://a.b/" + "&a;" * (n // 3),
    "colons": lambda n: ":" * n,
    "at signs": lambda n: "a@" * (n // 2),
    "addresses": lambda n: "a@b.c " * (n // 6),
    "a long domain": lambda n: "a@b." + "c" * n,
    "open elements": lambda n: "<sup>" * (n // 5),
    "nested elements": lambda n: "<sup>" * (n // 11) + "</sup>" * (n // 11),
    "elements in emphasis": lambda n: "*<sup>" * (n // 13) + "*</sup>" * (n // 13),
    "attributes": lambda n: "<abbr" + " a" * (n // 2),
    "open attributes": lambda n: '<abbr title="' * (n // 13),
    "details": lambda n: "<details>\n\n" * (n // 11),
    "details in a line": lambda n: "<details>a" * (n // 10),
    "details after text": lambda n: "a\n<details>\n" * (n // 12),
    "tasks": lambda n: "- [x] a\n  - [x] b\n" * (n // 18),
    "excess cells": lambda n: "|a|\n|-|\n" + "|a|b|c|d|\n" * (n // 10),
    "deep lists": lambda n: ("- " * 20 + "a\n") * (n // 42),
    "deep quotes": lambda n: ("> " * 30 + "a\n") * (n // 62),
    "tildes": lambda n: "~a " * (n // 3),
    "variation selectors": lambda n: "\ufe0f*" * (n // 2),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.slow
def test_time_and_size_grow_no_faster_than_the_body(kind: str) -> None:
    small, large = 10_000, 80_000

    def seconds(length: int) -> float:
        markdown = HOSTILE[kind](length)
        forget()
        started = time.process_time()
        assert len(render(markdown).html) < 20 * length + 1_000_000
        return time.process_time() - started

    # Eight times the length: linear costs 8 times as much, quadratic 64 times. What disturbs only ever takes longer.
    assert min(seconds(large) for _ in range(4)) < 25 * max(seconds(small), 0.02)
