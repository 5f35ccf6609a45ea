"""No text of a body is lost, whatever its markup: in the text, and in the HTML."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgerpress.features.posts.body.html_rendering_and_sections import render


class Shown(HTMLParser):
    """The text that a browser shows, with images' descriptions."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += (dict(attrs).get("alt") or "") if tag == "img" else ""

    def handle_data(self, data: str) -> None:
        self.text += data


def indented_list(levels: int) -> str:
    return "\n".join(f"{'  ' * level}- word{level}" for level in range(levels))


LOSSES = {
    "dashes before a cut": "Intro.\n\n- - - - - - - - - - cut here\n\nThe rest.",
    "an indented list": f"Intro.\n\n{indented_list(14)}\n\nThe rest.",
    "an indented list with blank lines": indented_list(14).replace("\n", "\n\n") + "\n\nThe rest.",
    "numbers": "1. 2. 3. 4. 5. 6. 7. 8. 9. 10. go!\n\nThe rest.",
    "stars": "* " * 12 + "stars\n\nThe rest.",
    "quotes": "> " * 30 + "deep\n\nThe rest.",
    "a quoted thread": "\n".join(f"{'>' * level} word{level}" for level in range(1, 26)) + "\n\nThe rest.",
    "quotes and lists": "> - " * 9 + "deep\n\nThe rest.",
    "a list below the limit": "- " * 10 + "one\n- two\n- three\n\nThe rest.",
    "deep code": "- " * 11 + "    code\n\nThe rest.",
    "a deep table": "- " * 9
    + "| one | two |\n"
    + "  " * 9
    + "|-|-|\n"
    + "  " * 9
    + "| three | four |\n\nThe rest.",
    "nested notes": "Text[^a].\n\n" + "[^a]: " * 25 + "deep\n\nThe rest.",
    "a note without a reference": "Text.\n\n[^a]: The note.\n\nThe rest.",
    "two notes with one label": "Text[^a].\n\n[^a]: First.\n\n[^a]: Second.\n\nThe rest.",
    "a note referenced in a link": "[Text[^a]](/u).\n\n[^a]: The note.\n\nThe rest.",
    "a speaker in brackets": "[Editor]: Hello\n\nThe rest.",
    "a definition that nothing uses": "[Source]: https://example.org/report 'The report'\n\nThe rest.",
    "a second definition": "[a]\n\n[a]: /1\n\n[a]: /two\n\nThe rest.",
    "a definition in a list": "- [Editor]: Hello\n- two\n\nThe rest.",
    "a definition in a quote": "> [Editor]: Hello\n> 'two\n> lines'\n\nThe rest.",
    "excess cells": "| one | two |\n|-|-|\n| three | four | five | six |\n\nThe rest.",
    "excess cells in a quote": "> | one |\n> |-|\n> | two | three \\| four |\n\nThe rest.",
    "code on the line of its fence": "```It begins here\nand ends\n```\n\nThe rest.",
    "a fence that is never closed": "~~~ It begins here\n\nThe rest.",
    "an element that is never closed": "x<sup>two and <details> more\n\n<figure>\n\nThe rest.",
    "an element closed twice": "<kbd>a</kbd></kbd>\n\n</details>\n\nThe rest.",
    "other HTML": "<script>alert</script> <iframe>frame</iframe> <!-- note -->\n\nThe rest.",
    "HTML with a handler": '<sup onclick="x">two</sup> <img src="/x" onerror="y">\n\nThe rest.',
    "deep HTML": "<sub>" * 30 + "deep" + "</sub>" * 30 + "\n\nThe rest.",
    "deep details": "<details>\n\n" * 30 + "deep\n\n" + "</details>\n\n" * 30 + "The rest.",
    "nested brackets": "[" * 30 + "deep" + "]" * 30 + "(/u)\n\nThe rest.",
}


def words(source: str) -> set[str]:
    """Return the words of a source without the destinations of links and images."""
    return set(re.findall(r"[A-Za-z]{3,}[0-9]*", re.sub(r"\]\([^)]*\)", "", source)))


@pytest.mark.parametrize("kind", LOSSES)
def test_no_word_is_lost(kind: str) -> None:
    source = LOSSES[kind]
    body = render(source)
    assert "rest" in words(source)
    assert words(source) <= words(body.text)
    assert words(source) <= words(Shown(body.html).text)
    assert body.length.words >= 3


def test_what_is_nested_too_deeply_is_shown_flat() -> None:
    body = render("Intro.\n\n- - - - - - - - - - cut here\n\nThe rest.")
    assert body.text == "Intro.\n\n- cut here\n\nThe rest."
    assert body.html.endswith("<p>The rest.</p>\n")
    deep = render(f"{indented_list(11)}\n- next\n\nThe rest.")
    assert deep.text.endswith("word8 - word9 - word10\n\nnext\n\nThe rest.")
    assert render("> " * 21 + "deep").text == "> > deep"


def test_sections_continue_below_what_is_nested_too_deeply() -> None:
    body = render("- " * 12 + "cut\n\n## Part two\n\nText.")
    assert [section.title for section in body.sections] == ["Part two"]


def test_a_definition_that_is_used_and_a_hidden_comment_are_not_shown() -> None:
    assert render("[a], ![b]\n\n[a]: /one 'title'\n[b]: /two\n").text == "a, b"
    assert render("[//]: # (for editors)\n\n[comment]: <> (for editors)\n\nText.").text == "Text."


def test_a_definition_that_hides_no_text_is_shown() -> None:
    assert render("[Editor]: <>\n\n[Source]: #\n\nText.").text == "[Editor]: <>\n\n[Source]: #\n\nText."


def test_an_unused_definition_does_not_become_the_teaser() -> None:
    assert render("[Editor]: Hello\n\nText.").lead == "Text."


# --- any markup ---

WORD = "%"
"""Stands for the next word of the body: word0, word1, …"""
FRAGMENTS = [
    *(
        "%",
        "% %",
        "- %",
        "* ",
        "- ",
        "+ %",
        "1. ",
        "2) %",
        "> ",
        "> %",
        ">",
        "- [x] %",
        "- [ ] %",
        "    %",
        "\t%",
    ),
    *("# %", "## % ##", "===", "---", "***", "% ---", "```", "``` % %", "~~~", "```%", "`%`", "`", "``%"),
    *("| % | % |", "|-|-|", "| % | % | % |", "|", "|:-:|", "% | %", "\n\n| % |\n|-|\n| % | % |\n", r"\|"),
    *(
        "[^n]",
        "[^n]: %",
        "[^m]: %",
        "[^",
        "]: ",
        "[%]: /u",
        "[%]: %",
        "[r]: /u",
        "[%][r]",
        "[%](/u)",
        "![%](/u)",
    ),
    *(
        "[",
        "]",
        "![",
        "](/u)",
        "<https://example.org/>",
        "https://example.org/",
        "www.example.org",
        "a@example.org",
    ),
    *(
        "<details>",
        "</details>",
        "<summary>%</summary>",
        "<figure>",
        "</figure>",
        "<figcaption>%",
        "</figcaption>",
    ),
    *(
        "<sup>",
        "</sup>",
        "<sub>%</sub>",
        "<ruby>%<rt>%</rt></ruby>",
        "<br>",
        '<img src="/x" alt="%">',
        "<kbd>",
    ),
    *(
        "<abbr title='t'>%</abbr>",
        "<b>%</b>",
        "<div>",
        "</p>",
        "<script>%</script>",
        "<!-- % -->",
        "<td>",
        "</section>",
    ),
    *("*", "**%**", "_", "__", "~", "~~%", "~~", "**「%」**", "\\", "&amp;", "&", "\0", "\u3000", "。"),
]
JOINTS = ["", " ", "\n", "\n", "\n\n", "\n  ", "\n    ", "\n> ", "\n- ", "\n\n  "]


@st.composite
def structured(draw: st.DrawFn) -> tuple[str, int]:
    """A body of fragments, and the number of its words."""
    parts = draw(
        st.lists(
            st.tuples(st.sampled_from(FRAGMENTS), st.integers(1, 12), st.sampled_from(JOINTS)), max_size=24
        )
    )
    source = "".join(
        (fragment if WORD in fragment else fragment * times) + joint for fragment, times, joint in parts
    )
    pieces = source.split(WORD)
    return "".join(f"{piece}word{i}x" for i, piece in enumerate(pieces[:-1])) + pieces[-1], len(pieces) - 1


@settings(max_examples=600, deadline=None)
@given(structured())
def test_every_word_of_any_body_is_in_its_text_and_in_its_html(body: tuple[str, int]) -> None:
    source, count = body
    rendered = render(source)
    shown = Shown(rendered.html).text
    for i in range(count):
        word = f"word{i}x"
        if f'class="language-{word}' in rendered.html:
            continue  # one word after a fence is the language of the code, and not text
        assert word in rendered.text, source
        assert word in shown, source


@settings(max_examples=300, deadline=None)
@given(structured())
def test_the_text_of_any_body_is_what_its_html_shows(body: tuple[str, int]) -> None:
    rendered = render(body[0])
    shown = Shown(rendered.html).text.replace("\u21a9\ufe0e", "")
    assert "".join(rendered.text.split()) == "".join(shown.split())
