"""The texts of feeds: XML of any text, and absolute addresses in HTML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ledgerpress.features.feeds.absolute_links import with_absolute_links
from ledgerpress.features.feeds.xml_writer import document, element
from ledgerpress.features.posts.body.html_rendering_and_sections import render

PAGE = "https://news.example/articles/mill"


@given(st.text(), st.text())
def test_any_text_is_read_back_from_xml(text: str, attribute: str) -> None:
    root = etree.fromstring(document("a", [element("b", text, c=attribute)], {}))
    (child,) = root
    expected, expected_attribute = (readable(value) for value in (text, attribute))
    assert (child.text or "") == expected
    assert child.get("c") == expected_attribute


def readable(text: str) -> str:
    """Return the text with U+FFFD for each character that XML cannot contain."""
    return "".join(
        character
        if character in "\t\n\r"
        or " " <= character <= "\ud7ff"
        or "\ue000" <= character <= "\ufffd"
        or character > "\uffff"
        else "\ufffd"
        for character in text
    )


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a href="b?x=1&amp;y=2">b</a>', '<a href="https://news.example/articles/b?x=1&amp;y=2">b</a>'),
        ('<img src="/i.png" alt="a > b">', '<img src="https://news.example/i.png" alt="a &gt; b">'),
        ('<a href="#note" title="&quot;x&quot;">1</a>', f'<a href="{PAGE}#note" title="&quot;x&quot;">1</a>'),
        ("<p>a &lt; b &amp;amp; &nbsp;</p>", "<p>a &lt; b &amp;amp; &nbsp;</p>"),
        ('<a href="http://[::1">x</a>', '<a href="http://[::1">x</a>'),
        ("<input checked disabled>", "<input checked disabled>"),
    ],
)
def test_addresses_become_absolute_and_all_else_stays(html: str, expected: str) -> None:
    assert with_absolute_links(html, PAGE) == expected


@given(st.text())
def test_the_html_of_a_body_without_addresses_stays_the_same(markdown: str) -> None:
    html = render(markdown).html
    if " href=" not in html and " src=" not in html:
        assert with_absolute_links(html, PAGE) == html


@given(st.text())
def test_a_second_time_changes_nothing(markdown: str) -> None:
    once = with_absolute_links(render(f"[a]({markdown}) ![b]({markdown})\n\n{markdown}").html, PAGE)
    assert with_absolute_links(once, "https://other.example/") == once
