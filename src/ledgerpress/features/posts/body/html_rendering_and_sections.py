"""Derives safe HTML, plain text, sections with anchors, and the length from the Markdown of a body.

The syntax is CommonMark 0.31 (markdown-it-py) with GitHub's extensions (tables, strikethrough, task lists, bare URLs,
footnotes) and a few HTML tags. Two independent checks protect readers: all other HTML is escaped and shown as text, and
nh3 sanitises the result with the allow-list below. Rendering is deterministic, accepts any string, shows every word of
it, and takes time linear in its length.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

import nh3

from ledgerpress.bounded_cache import BoundedCache
from ledgerpress.features.posts.body import plain_text
from ledgerpress.features.posts.body.bounded_markdown_parsing import LINK_SCHEMES, ParsedBody, parse
from ledgerpress.features.posts.body.footnotes import BACK_ROLE, NOTE_ROLE, REFERENCE_ROLE
from ledgerpress.features.posts.body.harmless_html import ATTRIBUTES, BLOCK_TAGS, INLINE_TAGS
from ledgerpress.features.slugs import model as slugs

_HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
_TAGS: Final = {
    *_HEADINGS,
    *("p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "a", "img"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
    *("section", "input"),
    *BLOCK_TAGS,
    *INLINE_TAGS,
}
_ATTRIBUTES: Final = {
    **{tag: set(attributes) for tag, attributes in ATTRIBUTES.items()},
    **{heading: {"id"} for heading in _HEADINGS},
    "a": {"href", "title", "id"},
    "ol": {"start"},
    "li": {"id"},
    "code": {"class"},  # always language-…, from the info string of a fence
    "th": {"align"},
    "td": {"align"},
    "input": {"checked", "disabled"},
}
_ATTRIBUTE_VALUES: Final = {
    "a": {"role": {REFERENCE_ROLE, BACK_ROLE}},
    "section": {"role": {NOTE_ROLE}},
    "input": {"type": {"checkbox"}},
}
_CLASSES: Final = {"li": {"task-list-item"}}
_CLEANER: Final = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    tag_attribute_values=_ATTRIBUTE_VALUES,
    allowed_classes=_CLASSES,
    url_schemes=set(LINK_SCHEMES),
    # Authors belong to the publication and are trusted, so search engines may follow their links.
    link_rel="noopener",
    strip_comments=True,
)

_MAX_CACHED_BODIES: Final = 32 * 1024 * 1024
_MAX_CACHED_TEASERS: Final = 8 * 1024 * 1024
"""The maximum sizes of the caches in characters, including the bodies, which are the keys."""
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading: its level from 1 to 6, its plain text, and the id of its HTML element."""

    level: int
    title: str
    anchor: str


@dataclass(frozen=True, slots=True)
class RenderedBody:
    """A body as readers see it.

    `text` is plain text with a blank line between blocks; it includes headings. `lead` is the first paragraph of text,
    from which a teaser is derived; it is empty if there is none.
    """

    html: str
    text: str
    lead: str
    sections: tuple[Section, ...]

    @property
    def length(self) -> plain_text.Length:
        """Count the words. Few queries ask for the length, and counting takes as long as parsing prose."""
        return plain_text.length_of(self.text)


_Key: TypeAlias = tuple[int | None, str]
"""The position at which a body was recorded, and the body."""
_bodies: Final = BoundedCache[_Key, RenderedBody](
    max_bytes=_MAX_CACHED_BODIES,
    size_of=lambda key, body: len(key[1]) + len(body.html) + len(body.text),
)
_teasers: Final = BoundedCache[_Key, str](
    max_bytes=_MAX_CACHED_TEASERS, size_of=lambda key, teaser: len(key[1]) + len(teaser)
)


def render(markdown: str, position: int | None = None) -> RenderedBody:
    """Render a body. Never raises, for any string.

    Links may use http, https, mailto, tel and sms, images http and https; both may be relative. Any other link or image
    is shown as the text that the author wrote, and so are the markers of quotes and lists nested deeper than 20 levels
    (a list counts as two levels). A long body that is almost only markup is shown unparsed: see
    `bounded_markdown_parsing.MOST_STEPS`. Recently used results are cached.
    `position` is the position at which the body was recorded.
    """
    key = (position, markdown)
    body = _bodies.get(key)
    if body is None:
        body = _render(markdown)
        _bodies.put(key, body)
    return body


def teaser_of(markdown: str, position: int | None = None) -> str:
    """Return a teaser derived from a body, which was recorded at `position`. Recently used teasers are cached."""
    key = (position, markdown)
    teaser = _teasers.get(key)
    if teaser is None:
        teaser = plain_text.derived_teaser(render(markdown, position).lead)
        _teasers.put(key, teaser)
    return teaser


def forget(positions: Collection[int] | None = None) -> None:
    """Remove the bodies that were recorded at `positions`, or at an unknown position, from the caches; `None`: all."""

    def is_removed(key: _Key) -> bool:
        return positions is None or key[0] is None or key[0] in positions

    _teasers.remove(is_removed)
    _bodies.remove(is_removed)


def _render(markdown: str) -> RenderedBody:
    parsed = parse(_LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", markdown))
    sections = _anchor_headings(parsed)
    return RenderedBody(
        html=_CLEANER.clean(parsed.html()),
        text=plain_text.plain_text(parsed.tokens),
        lead=plain_text.first_paragraph(parsed.tokens),
        sections=sections,
    )


def _anchor_headings(parsed: ParsedBody) -> tuple[Section, ...]:
    """Give each heading of the body a unique id, and return the headings in order."""
    sections: dict[int, Section] = {}
    anchors: set[str] = set()
    tries: dict[str, int] = {}
    headings = [
        (token, plain_text.title_text(content))
        for token, content in pairwise(parsed.tokens)
        if token.type == "heading_open"
    ]
    slugs_and_changes = [slugs.anchor(title) for _, title in headings]
    # Links lead to anchors: headings whose anchors differ from those of earlier versions take no anchor from others.
    for index in sorted(range(len(headings)), key=lambda index: slugs_and_changes[index][1]):
        (token, title), (slug, _) = headings[index], slugs_and_changes[index]
        number = tries.get(slug, 0) + 1
        while (anchor := slugs.numbered(slug, number)) in anchors:
            number += 1
        tries[slug] = number
        anchors.add(anchor)
        token.attrSet("id", anchor)
        sections[index] = Section(level=int(token.tag[1:]), title=title, anchor=anchor)
    return tuple(sections[index] for index in range(len(headings)))
