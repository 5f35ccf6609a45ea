"""What is derived from a body's Markdown: safe HTML, plain text, sections with anchors, length.

CommonMark 0.31 by markdown-it-py, with GitHub's tables and strikethrough. Raw HTML is shown as the text it is,
and the result goes through nh3 with the allow-list below, so two separate guards stand between an author and a
reader. The same Markdown always gives the same answer, for any string, in time linear in its length.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import nh3

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.features.posts.body import plain_text
from ledgerpress.features.posts.body.bounded_markdown_parsing import Parsed, parse
from ledgerpress.features.slugs import model as slugs

_HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
_TAGS: Final = {
    *_HEADINGS,
    *("p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "a", "img"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES: Final = {
    **{heading: {"id"} for heading in _HEADINGS},
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "code": {"class"},  # only ever language-…, from the info string of a fence
    "th": {"align"},
    "td": {"align"},
}
_SCHEMES: Final = {"http", "https", "mailto"}
# Authors are people of the publication, not strangers, so search engines may follow their links.
_LINK_REL: Final = "noopener"

_MAX_CACHED_BODIES: Final = 32 * 1024 * 1024
_MAX_CACHED_TEASERS: Final = 8 * 1024 * 1024
"""Characters that are cached, with those of the bodies as keys."""
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading: its level from 1 to 6, its plain text, and the id that its element has in the HTML."""

    level: int
    title: str
    anchor: str


@dataclass(frozen=True, slots=True)
class RenderedBody:
    """What readers get of a body.

    `text` is plain text, blocks separated by a blank line, headings included. `lead` is its first paragraph
    that is not a heading (empty if there is none), from which a teaser is derived. `reading_minutes` is 0 for
    a body without words, else at least 1.
    """

    html: str
    text: str
    lead: str
    sections: tuple[Section, ...]
    word_count: int
    reading_minutes: int


_bodies: Final = BoundedCache[str, RenderedBody](
    max_bytes=_MAX_CACHED_BODIES,
    size_of=lambda markdown, body: len(markdown) + len(body.html) + len(body.text),
)
_teasers: Final = BoundedCache[str, str](
    max_bytes=_MAX_CACHED_TEASERS, size_of=lambda markdown, teaser: len(markdown) + len(teaser)
)


def render(markdown: str) -> RenderedBody:
    """Derive everything a reader sees from a body. Never raises, whatever the string.

    Links and images may point to http, https (links also mailto) or be relative; any other is left as the
    text that the author wrote. Quotes and lists nested deeper than 20 levels (a list counts two) are left out. A
    body that is nearly all markup, and long, is shown as it was written (see `markdown_syntax.MOST_STEPS`).
    The bodies used last are cached.
    """
    body = _bodies.get(markdown)
    if body is None:
        body = _render(markdown)
        _bodies.put(markdown, body)
    return body


def teaser_of(markdown: str) -> str:
    """Return the teaser of a body for which none was written. The teasers used last are cached."""
    teaser = _teasers.get(markdown)
    if teaser is None:
        teaser = plain_text.derived_teaser(render(markdown).lead)
        _teasers.put(markdown, teaser)
    return teaser


def forget() -> None:
    _teasers.clear()
    _bodies.clear()


def _render(markdown: str) -> RenderedBody:
    parsed = parse(_LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", markdown))
    sections = _anchor_headings(parsed)
    text = plain_text.plain_text(parsed.tokens)
    words = plain_text.word_count(text)
    return RenderedBody(
        html=_sanitise(parsed.html()),
        text=text,
        lead=plain_text.first_paragraph(parsed.tokens),
        sections=sections,
        word_count=words,
        reading_minutes=plain_text.reading_minutes(words),
    )


def _anchor_headings(parsed: Parsed) -> tuple[Section, ...]:
    """Give every heading of the body an id that no other has, and return them in order."""
    sections: list[Section] = []
    taken: set[str] = set()
    tries: dict[str, int] = {}
    for token, content in pairwise(parsed.tokens):
        if token.type != "heading_open":
            continue
        title = " ".join(plain_text.inline_text(content).split())
        slug = slugs.derive(title, fallback="section")
        number = tries.get(slug, 0) + 1
        while (anchor := slugs.numbered(slug, number)) in taken:
            number += 1
        tries[slug] = number
        taken.add(anchor)
        token.attrSet("id", anchor)
        sections.append(Section(level=int(token.tag[1:]), title=title, anchor=anchor))
    return tuple(sections)


def _sanitise(html: str) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel=_LINK_REL,
        strip_comments=True,
    )
