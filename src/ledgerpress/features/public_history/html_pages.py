"""The pages of an article's history: the list of its published revisions, and the difference between two of them."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.features.authors.pages import author_names
from ledgerpress.features.authors.queries import authors
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.body.html_rendering_and_sections import render
from ledgerpress.features.posts.corrections.queries import PublishedTexts
from ledgerpress.features.posts.pages import ArticleContent, Moment, Note, article_href, moment, note_of
from ledgerpress.features.posts.post_queries import markdown
from ledgerpress.features.posts.projector import ContentRow
from ledgerpress.features.public_history import revision_queries
from ledgerpress.features.public_history.correction_links import link_of_correction
from ledgerpress.features.public_history.difference_html import inline_html, sides_html
from ledgerpress.features.public_history.page_changes import history_changes, revision_changes
from ledgerpress.features.public_history.proof_pages import SCRIPT_HREF, proof_as_json, proof_page, script
from ledgerpress.features.public_history.requested_history import (
    history_href,
    public_title,
    requested_article,
    requested_number,
)
from ledgerpress.features.public_history.revision_queries import Revision, RevisionKind
from ledgerpress.features.public_history.text_blocks import Block, blocks_of, plain_blocks
from ledgerpress.features.public_history.text_changes import TextChange, text_change
from ledgerpress.features.site.queries import site_tzinfo
from ledgerpress.http.pages.conditional_requests import revalidated
from ledgerpress.http.pages.interface_texts.words import Text
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution, Pages
from ledgerpress.http.pages.page_headers import FORM_POLICY
from ledgerpress.http.pages.page_moment import AS_OF
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

PAGE_SIZE: Final = 25
_MAX_CHOICES: Final = 50
"""The most versions that a list to choose from contains. If there are more, readers enter a number."""
_KINDS: Final = {
    RevisionKind.FIRST: Text("First published"),
    RevisionKind.EDITED: Text("Edited without a note"),
    RevisionKind.UNCHANGED: Text("Published again without a change"),
}
"""The names of the kinds. Corrected revisions have notes instead."""
FIELD_NAMES: Final = {
    "title": Text("headline"),
    "teaser": Text("teaser"),
    "body": Text("text"),
    "author_ids": Text("byline"),
    "slug": Text("address"),
}
"""The names of fields within a sentence."""
_FIELD_HEADINGS: Final = {
    "title": Text("Headline"),
    "teaser": Text("Teaser"),
    "author_ids": Text("Byline"),
    "slug": Text("Address"),
}
_SIDE_BY_SIDE: Final = "side-by-side"
_LEVEL: Final = 4
"""The level of the highest headings in a text. The heading of each difference is above them."""


@dataclass(frozen=True, slots=True)
class RevisionEntry:
    """A revision in a list or at the top of a page.

    `read_href` is the URL of the article with this text; `None` if there is none, because the past is not public.
    `is_current` states whether that is the article as it is now. `hidden` is from when to when the article was not public
    before this revision, if it was not.
    """

    number: int
    kind: Text | None
    at: Moment
    notes: Sequence[Note]
    changed: Sequence[Text]
    is_incomplete: bool
    href: str
    read_href: str | None
    is_current: bool
    hidden: tuple[Moment, Moment] | None


@dataclass(frozen=True, slots=True)
class Version:
    """A revision that a reader may choose to compare with."""

    number: int
    name: Text


@dataclass(frozen=True, slots=True)
class ShownChange:
    """The difference between two texts as HTML: as one text, or in rows with both side by side. The other is empty.

    `level` is that of the highest headings.
    """

    is_change: bool
    has_passage: bool
    level: int
    inline: Markup
    sides: Sequence[tuple[Markup, Markup, bool]]

    @classmethod
    def of(cls, change: TextChange, level: int, *, side_by_side: bool) -> "ShownChange":
        """Return a difference in which the highest headings get `level`."""
        return cls(
            is_change=change.is_change,
            has_passage=change.has_passage,
            level=level,
            inline=Markup() if side_by_side else inline_html(change, level),
            sides=sides_html(change, level) if side_by_side else (),
        )


@dataclass(frozen=True, slots=True)
class ChangedField:
    """A field that differs between two revisions."""

    heading: Text
    change: ShownChange


def _entry(
    pages: Pages, snapshot: Snapshot, article: article_queries.Article, revision: Revision, last: int
) -> RevisionEntry:
    """Return a published revision for a page. `last` is the number of the last one, which is the article itself."""
    zone = site_tzinfo(snapshot)

    def at(time: int) -> Moment:
        return moment(time, time, zone)

    texts, read_href = PublishedTexts(snapshot, article.seq), None
    hidden = revision_queries.hidden_before(snapshot, article.id, revision.position)
    if revision.number == last:
        read_href = pages.url(article_href(article.slug))
    elif pages.open_past:
        read_href = f"{pages.current_url(article_href(article.slug))}?{AS_OF}={revision.position}"
    return RevisionEntry(
        number=revision.number,
        kind=_KINDS.get(revision.kind),
        at=at(revision.publication.recorded_at),
        notes=[note_of(correction, texts, at) for correction in revision.corrections],
        changed=changed_names(revision),
        is_incomplete=revision.publication.is_incomplete,
        href=history_href(article.slug, revision.number),
        read_href=read_href,
        is_current=revision.number == last and not pages.moment.is_requested,
        hidden=(at(hidden[0]), at(hidden[1])) if hidden else None,
    )


def changed_names(revision: Revision) -> list[Text]:
    """Return the names of the fields that a revision changed."""
    return [FIELD_NAMES[name] for name in revision.changed]


def _history(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    article = requested_article(pages, snapshot, request)
    if isinstance(article, Response):
        return article
    count = revision_queries.count(snapshot, article.id)
    before = requested_number(request.query_params.get("before"), default=count + 1)
    entries = revision_queries.revisions(snapshot, article.id, 1, before - 1, PAGE_SIZE)
    last = entries[-1].number if entries else 1
    page = pages.page(
        snapshot,
        "history.html",
        title=public_title(snapshot, article),
        article_href=article_href(article.slug),
        count=count,
        entries=[_entry(pages, snapshot, article, revision, count) for revision in entries],
        newer=f"?before={before + PAGE_SIZE}" if before <= count else None,
        older=f"?before={last}" if last > 1 else None,
    )
    return revalidated(request, page)


async def _revision(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    number = requested_number(request.path_params["number"])
    article = requested_article(pages, snapshot, request, f"/{number}")
    if isinstance(article, Response):
        return article
    revision = revision_queries.by_number(snapshot, article.id, number)
    former_number = requested_number(request.query_params.get("from"), default=number - 1)
    former = revision_queries.by_number(snapshot, article.id, former_number) if former_number else None
    # Only the first version can be shown without another one.
    if revision is None or (former is None and (number, former_number) != (1, 0)):
        return pages.not_found(snapshot)
    older, newer = former, revision
    if former and former.number > revision.number:
        older, newer = revision, former
    side_by_side = request.query_params.get("view") == _SIDE_BY_SIDE
    is_source, body, fields = await _changes(snapshot, older, newer, side_by_side=side_by_side)
    count = revision_queries.count(snapshot, article.id)
    page = pages.page(
        snapshot,
        "revision.html",
        policy=FORM_POLICY,
        title=public_title(snapshot, article),
        article_href=article_href(article.slug),
        history_href=history_href(article.slug),
        count=count,
        entry=_entry(pages, snapshot, article, revision, count),
        byline=author_names(snapshot, revision.publication.content.author_ids),
        former=former,
        older=older,
        newer=newer,
        versions=_versions(snapshot, article.id, number) if count <= _MAX_CHOICES else (),
        fields=fields,
        body=body,
        is_source=is_source,
        has_passage=any(change.has_passage for change in (body, *(field.change for field in fields))),
        side_by_side=side_by_side,
    )
    return revalidated(request, page)


def _versions(snapshot: Snapshot, post_id: str, number: int) -> list[Version]:
    """Return the revisions to compare with, newest first: all others."""
    zone = site_tzinfo(snapshot)
    return [
        Version(other, Text("Version {number}, {time}", number=other, time=moment(time, time, zone).minute))
        for other, time in revision_queries.times(snapshot, post_id)
        if other != number
    ]


async def _changes(
    snapshot: Snapshot, former: Revision | None, revision: Revision, *, side_by_side: bool
) -> tuple[bool, ShownChange, list[ChangedField]]:
    """Return whether the text is shown as Markdown, the difference of the text, and the other fields that differ.

    Readers see the text without Markdown. If only links or formatting differ, the Markdown shows how.
    """
    new = revision.publication.content
    old = former.publication.content if former else new
    passages = [note.passage for note in revision.corrections if note.passage]
    sources = markdown(snapshot, old.body), markdown(snapshot, new.body)
    before, after = render(sources[0], old.body), render(sources[1], new.body)
    is_source = before.text == after.text and sources[0] != sources[1]
    texts = [
        (heading, _text(snapshot, old, name), _text(snapshot, new, name))
        for name, heading in _FIELD_HEADINGS.items()
    ]

    def shown(older: Sequence[Block], newer: Sequence[Block]) -> ShownChange:
        level, has_sides = (_LEVEL, side_by_side) if former else (_LEVEL - 1, False)
        return ShownChange.of(text_change(older, newer, passages), level, side_by_side=has_sides)

    def compare() -> tuple[ShownChange, list[ChangedField]]:
        numbers = itertools.count()
        older, newer = (
            plain_blocks(source) if is_source else blocks_of(body.html, numbers)
            for source, body in zip(sources, (before, after), strict=True)
        )
        fields = [
            ChangedField(heading, shown(plain_blocks(then), plain_blocks(now)))
            for heading, then, now in texts
            if then != now
        ]
        return shown(older, newer), fields

    body, fields = await asyncio.to_thread(compare)
    return is_source, body, fields


def _text(snapshot: Snapshot, content: ContentRow, name: str) -> str:
    """Return a field other than the body as text. Authors have their present names."""
    if name == "author_ids":
        return ", ".join(author.name for author in authors(snapshot, content.author_ids) if author.name)
    if name == "slug":
        return article_href(content.slug) if content.slug else ""
    return getattr(content, name) or ""


def _link_to_history(pages: Pages, snapshot: Snapshot, article: Any) -> list[Link]:
    is_shown = pages.public_history and isinstance(article, ArticleContent)
    return [Link("History", f"{article.href}/history")] if is_shown else []


def _link_of_note(pages: Pages, snapshot: Snapshot, note: Any) -> list[Link]:
    article = article_queries.by_id(snapshot, note.record.post_id) if isinstance(note, Note) else None
    link = link_of_correction(pages, snapshot, article, note.record) if article else None
    return [link] if link else []


PAGES: Final = PageContribution(
    routes={
        "/articles/{slug}/history": _history,
        "/articles/{slug}/history/{number}": _revision,
        "/articles/{slug}/history/{number}/proof": proof_as_json,
        "/articles/{slug}/history/{number}/check": proof_page,
        SCRIPT_HREF: script,
    },
    changes={
        "/articles/{slug}/history": history_changes,
        "/articles/{slug}/history/{number}": revision_changes,
    },
    templates=Path(__file__).parent / "templates",
    links={"article": _link_to_history, "correction": _link_of_note},
)
