"""The pages of an article's history: the list of its published revisions, and the difference between two of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledgerpress.features.authors.pages import author_names
from ledgerpress.features.authors.queries import authors
from ledgerpress.features.integrity.merkle_tree_projection import TreeIncomplete
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.body.html_rendering_and_sections import render
from ledgerpress.features.posts.pages import ArticleContent, Moment, Note, article_href, moment, note_of
from ledgerpress.features.posts.pages_at_moments import article_at
from ledgerpress.features.posts.post_queries import markdown
from ledgerpress.features.posts.projector import ContentRow
from ledgerpress.features.public_history import revision_queries
from ledgerpress.features.public_history.inclusion_proof import proof_of
from ledgerpress.features.public_history.revision_queries import Revision, RevisionKind
from ledgerpress.features.public_history.text_changes import TextChange, text_change
from ledgerpress.features.site.queries import site_tzinfo
from ledgerpress.http.pages.conditional_requests import revalidated
from ledgerpress.http.pages.interface_texts.words import Text
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution, Pages
from ledgerpress.http.pages.page_headers import FORM_POLICY
from ledgerpress.views.paging import BadPageRequest
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

PAGE_SIZE: Final = 25
_MAX_DIGITS: Final = 15
_KINDS: Final = {
    RevisionKind.FIRST: Text("First published"),
    RevisionKind.EDITED: Text("Edited without a note"),
    RevisionKind.UNCHANGED: Text("Published again without a change"),
}
"""The names of the kinds. Those of corrected revisions come from their notes."""
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


@dataclass(frozen=True, slots=True)
class RevisionEntry:
    """A revision in a list or at the top of a page."""

    number: int
    kinds: Sequence[Text]
    at: Moment
    notes: Sequence[Note]
    changed: Sequence[Text]
    is_incomplete: bool
    href: str
    proof_href: str


@dataclass(frozen=True, slots=True)
class ChangedField:
    """A field that differs between two revisions."""

    heading: Text
    change: TextChange


def history_href(slug: str, number: int | None = None) -> str:
    """Return the path of the history of an article, or of one of its published revisions."""
    return f"{article_href(slug)}/history" + ("" if number is None else f"/{number}")


def revision_entry(snapshot: Snapshot, article: article_queries.Article, revision: Revision) -> RevisionEntry:
    """Return a published revision for a page."""
    zone = site_tzinfo(snapshot)

    def at(time: int) -> Moment:
        return moment(time, time, zone)

    notes = [note_of(correction, at(correction.recorded_at)) for correction in revision.corrections]
    href = history_href(article.slug, revision.number)
    return RevisionEntry(
        number=revision.number,
        kinds=[_KINDS[revision.kind]]
        if revision.kind in _KINDS
        else list(dict.fromkeys(note.heading for note in notes)),
        at=at(revision.publication.recorded_at),
        notes=notes,
        changed=changed_names(revision),
        is_incomplete=revision.publication.is_incomplete,
        href=href,
        proof_href=f"{href}/proof",
    )


def public_title(snapshot: Snapshot, article: article_queries.Article) -> str:
    """Return the title of an article as last published, or its path if that was withdrawn.

    After a withdrawal, the article itself may have the title of a draft.
    """
    last = revision_queries.by_number(snapshot, article.id, revision_queries.count(snapshot, article.id))
    return (last and last.publication.content.title) or article_href(article.slug)


def changed_names(revision: Revision) -> list[Text]:
    """Return the names of the fields that a revision changed."""
    return [FIELD_NAMES[name] for name in revision.changed]


def closed(pages: Pages, snapshot: Snapshot) -> Response:
    """Return the page that explains that histories are not public, with status 403. It is the same for every article."""
    return pages.page(snapshot, "history_closed.html", status=HTTPStatus.FORBIDDEN)


def _history(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    article = _article(pages, snapshot, request)
    if isinstance(article, Response):
        return article
    count = revision_queries.count(snapshot, article.id)
    before = _number(request.query_params.get("before"), default=count + 1)
    entries = revision_queries.revisions(snapshot, article.id, 1, before - 1, PAGE_SIZE)
    last = entries[-1].number if entries else 1
    page = pages.page(
        snapshot,
        "history.html",
        title=public_title(snapshot, article),
        article_href=article_href(article.slug),
        count=count,
        entries=[revision_entry(snapshot, article, revision) for revision in entries],
        newer=f"?before={before + PAGE_SIZE}" if before <= count else None,
        older=f"?before={last}" if last > 1 else None,
    )
    return revalidated(request, page)


async def _revision(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    number = _number(request.path_params["number"])
    article = _article(pages, snapshot, request, f"/{number}")
    if isinstance(article, Response):
        return article
    revision = revision_queries.by_number(snapshot, article.id, number)
    former_number = _number(request.query_params.get("from"), default=number - 1)
    former = revision_queries.by_number(snapshot, article.id, former_number) if former_number else None
    if revision is None or (former is None and former_number):
        return pages.not_found(snapshot)
    is_source, body, fields = await _changes(snapshot, former, revision)
    view = request.query_params.get("view")
    page = pages.page(
        snapshot,
        "revision.html",
        policy=FORM_POLICY,
        title=public_title(snapshot, article),
        article_href=article_href(article.slug),
        history_href=history_href(article.slug),
        count=revision_queries.count(snapshot, article.id),
        entry=revision_entry(snapshot, article, revision),
        byline=author_names(snapshot, revision.publication.content.author_ids),
        former=revision_entry(snapshot, article, former) if former else None,
        fields=fields,
        body=body,
        is_source=is_source,
        has_passage=any(change.has_passage for change in (body, *(field.change for field in fields))),
        side_by_side=view == _SIDE_BY_SIDE,
    )
    return revalidated(request, page)


async def _changes(
    snapshot: Snapshot, former: Revision | None, revision: Revision
) -> tuple[bool, TextChange, list[ChangedField]]:
    """Return whether the text is shown as Markdown, the difference of the text, and the other fields that differ.

    Readers see the text without Markdown. If only links or formatting differ, the Markdown shows how.
    """
    new = revision.publication.content
    old = former.publication.content if former else new
    passages = [note.passage for note in revision.corrections if note.passage]
    before, after = (render(markdown(snapshot, content.body), content.body).text for content in (old, new))
    is_source = False
    if before == after:
        sources = markdown(snapshot, old.body), markdown(snapshot, new.body)
        if sources[0] != sources[1]:
            is_source, (before, after) = True, sources
    texts = [
        (heading, _text(snapshot, old, name), _text(snapshot, new, name))
        for name, heading in _FIELD_HEADINGS.items()
    ]

    def compare() -> tuple[TextChange, list[ChangedField]]:
        changed = [(heading, text_change(then, now, passages)) for heading, then, now in texts if then != now]
        return text_change(before, after, passages), [ChangedField(*field) for field in changed]

    body, fields = await asyncio.to_thread(compare)
    return is_source, body, fields


def _text(snapshot: Snapshot, content: ContentRow, name: str) -> str:
    """Return a field other than the body as text. Authors have their present names."""
    if name == "author_ids":
        return ", ".join(author.name for author in authors(snapshot, content.author_ids) if author.name)
    if name == "slug":
        return article_href(content.slug) if content.slug else ""
    return getattr(content, name) or ""


def _proof(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    number = _number(request.path_params["number"])
    article = _article(pages, snapshot, request, f"/{number}/proof")
    if isinstance(article, Response):
        return article
    revision = revision_queries.by_number(snapshot, article.id, number)
    size = _number(request.query_params.get("size"), default=snapshot.position)
    if revision is None:
        return pages.not_found(snapshot)
    path = article_href(article.slug)
    try:
        proof = proof_of(snapshot, pages.publication, path, number, revision.position, size)
    except ValueError:
        problem = f"size is {size}: it must be between {revision.position} and {snapshot.position}"
        return JSONResponse({"error": problem}, HTTPStatus.BAD_REQUEST)
    except TreeIncomplete:
        problem = "This server has skipped an event, so it cannot prove anything about later ones."
        return JSONResponse({"error": problem}, HTTPStatus.SERVICE_UNAVAILABLE)
    headers = {
        "Cache-Control": "no-cache",
        "Content-Disposition": f'attachment; filename="proof-{revision.position}.json"',
        "LedgerPress-Position": str(pages.moment.today.position),
        "X-Robots-Tag": "noindex",
    }
    return revalidated(request, JSONResponse(msgspec.to_builtins(proof), headers=headers))


def _article(
    pages: Pages, snapshot: Snapshot, request: Request, rest: str = ""
) -> article_queries.Article | Response:
    """Return the article that the path names, or the response to a request for another path or a closed history.

    `rest` is the path after that of the history.
    """
    if not pages.public_history:
        return closed(pages, snapshot)
    slug = request.path_params["slug"]
    article = article_at(pages.moment, slug)
    if article is None:
        return pages.not_found(snapshot)
    if article.slug != slug:
        return pages.moved(snapshot, history_href(article.slug) + rest, request.url.query)
    return article


def _number(text: Any, default: int | None = None) -> int:
    """Return a number in an address. Raises `BadPageRequest` if it is none."""
    if text is None and default is not None:
        return default
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise BadPageRequest("The address needs a number.")
    return int(text)


def _link_to_history(pages: Pages, snapshot: Snapshot, article: Any) -> list[Link]:
    is_shown = pages.public_history and isinstance(article, ArticleContent)
    return [Link("History", f"{article.href}/history")] if is_shown else []


PAGES: Final = PageContribution(
    routes={
        "/articles/{slug}/history": _history,
        "/articles/{slug}/history/{number}": _revision,
        "/articles/{slug}/history/{number}/proof": _proof,
    },
    templates=Path(__file__).parent / "templates",
    links={"article": _link_to_history},
)
