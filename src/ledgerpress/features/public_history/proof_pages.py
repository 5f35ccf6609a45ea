"""The proof that a published revision is in the log: as JSON for programs, and as a page that explains how to check it."""

from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledgerpress.features.integrity.merkle_tree_projection import TreeIncomplete
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.pages import article_href, moment
from ledgerpress.features.public_history import revision_queries
from ledgerpress.features.public_history.inclusion_proof import InclusionProof, proof_of
from ledgerpress.features.public_history.requested_history import (
    history_href,
    public_title,
    requested_article,
    requested_number,
)
from ledgerpress.features.public_history.revision_queries import Revision
from ledgerpress.features.site.queries import site_tzinfo
from ledgerpress.http.pages.conditional_requests import revalidated
from ledgerpress.http.pages.page_contributions_and_rendering import Pages
from ledgerpress.http.pages.page_headers import FORM_POLICY, not_indexed
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

SCRIPT_HREF: Final = "/check_proof.py"
_SCRIPT: Final = (Path(__file__).parent / "check_proof.py").read_bytes()


def proof_as_json(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    """Return the proof as a file to download."""
    requested = _requested(pages, snapshot, request, "/proof")
    if isinstance(requested, Response):
        return requested
    article, revision = requested
    size = requested_number(request.query_params.get("size"), default=snapshot.position)
    try:
        proof = _proof(pages, snapshot, article, revision, size)
    except ValueError:
        problem = f"size is {size}: it must be between {revision.position} and {snapshot.position}"
        return JSONResponse({"error": problem}, HTTPStatus.BAD_REQUEST)
    except TreeIncomplete:
        problem = "This server has skipped an event, so it cannot prove anything about later ones."
        return JSONResponse({"error": problem}, HTTPStatus.SERVICE_UNAVAILABLE)
    headers = {
        "Cache-Control": "no-cache",
        "Content-Disposition": f'attachment; filename="{_file_name(revision)}"',
        "LedgerPress-Position": str(pages.moment.today.position),
        "X-Robots-Tag": "noindex",
    }
    return revalidated(request, JSONResponse(msgspec.to_builtins(proof), headers=headers))


def proof_page(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    """Return the page that explains the proof. It has no time bar, because each event of the log changes the root."""
    requested = _requested(pages, snapshot, request, "/check")
    if isinstance(requested, Response):
        return requested
    article, revision = requested
    href = history_href(article.slug, revision.number)
    at = moment(revision.publication.recorded_at, revision.publication.recorded_at, site_tzinfo(snapshot))
    try:
        proof, status = _proof(pages, snapshot, article, revision, snapshot.position), HTTPStatus.OK
    except TreeIncomplete:
        proof, status = None, HTTPStatus.SERVICE_UNAVAILABLE
    page = pages.page(
        snapshot,
        "proof.html",
        status=status,
        policy=FORM_POLICY,
        is_in_time=False,
        title=public_title(snapshot, article),
        article_href=article_href(article.slug),
        history_href=history_href(article.slug),
        revision_href=href,
        number=revision.number,
        at=at,
        proof=proof,
        proof_href=f"{href}/proof?size={snapshot.position}",
        sized_proof_href=f"{href}/proof",
        file_name=_file_name(revision),
        script_href=SCRIPT_HREF,
        command=f"python3 {SCRIPT_HREF[1:]} {_file_name(revision)}",
    )
    return revalidated(request, page)


def script(_: Pages, __: Snapshot, request: Request) -> Response:
    """Return the program that checks a proof."""
    headers = {
        "Cache-Control": "no-cache",
        "Content-Disposition": f'attachment; filename="{SCRIPT_HREF[1:]}"',
        "X-Content-Type-Options": "nosniff",
    }
    response = Response(_SCRIPT, headers=headers, media_type="text/x-python; charset=utf-8")
    return revalidated(request, not_indexed(response))


def _requested(
    pages: Pages, snapshot: Snapshot, request: Request, rest: str
) -> tuple[article_queries.Article, Revision] | Response:
    """Return the article and the published revision that the address names, or the response if there is none."""
    number = requested_number(request.path_params["number"])
    article = requested_article(pages, snapshot, request, f"/{number}{rest}")
    if isinstance(article, Response):
        return article
    revision = revision_queries.by_number(snapshot, article.id, number)
    return (article, revision) if revision else pages.not_found(snapshot)


def _proof(
    pages: Pages, snapshot: Snapshot, article: article_queries.Article, revision: Revision, size: int
) -> InclusionProof:
    path = article_href(article.slug)
    return proof_of(snapshot, pages.publication, path, revision.number, revision.position, size)


def _file_name(revision: Revision) -> str:
    return f"proof-{revision.position}.json"
