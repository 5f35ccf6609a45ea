"""The page of corrections, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.features.corrections_page.entry_queries import CorrectionEntry, entry, positions
from ledgerpress.features.corrections_page.page_changes import corrections_page_changes
from ledgerpress.features.posts.pages import Moment, Note, article_href, moment, note_of
from ledgerpress.features.public_history.html_pages import changed_names
from ledgerpress.features.public_history.requested_history import change_href, public_title
from ledgerpress.features.site.queries import site_tzinfo
from ledgerpress.http.pages.conditional_requests import revalidated
from ledgerpress.http.pages.interface_texts.words import Text
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution, Pages
from ledgerpress.views.paging import PageRequest, encode_cursor, page_by_position
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

PAGE_SIZE: Final = 20


@dataclass(frozen=True, slots=True)
class ListedCorrection:
    """An entry of the page. `note` is `None` for an edit without a note, whose changed fields are in `changed`."""

    title: str
    href: str
    at: Moment
    note: Note | None
    changed: Sequence[Text]
    change_href: str | None


def _corrections(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    with_edits = pages.public_history
    parameters = request.query_params
    after, before = parameters.get("after"), parameters.get("before")
    if before is None:
        paging = PageRequest(first=PAGE_SIZE, after=after)
    else:
        paging = PageRequest(last=PAGE_SIZE, before=before)
    page = page_by_position(
        lambda low, high, limit, newest_first: positions(
            snapshot, low, high, limit, newest_first=newest_first, with_edits=with_edits
        ),
        paging,
        low=1,
        high=snapshot.position,
    )
    entries = [entry(snapshot, key.post, with_edits=with_edits) for key in page.entries]
    response = pages.page(
        snapshot,
        "corrections.html",
        entries=[_listed(snapshot, each, has_history=with_edits) for each in entries if each],
        with_edits=with_edits,
        newer=f"?before={encode_cursor(page.entries[0])}" if page.entries and page.has_previous else None,
        older=f"?after={encode_cursor(page.entries[-1])}" if page.entries and page.has_next else None,
    )
    return revalidated(request, response)


def _listed(snapshot: Snapshot, listed: CorrectionEntry, *, has_history: bool) -> ListedCorrection:
    article, correction, revision = listed.article, listed.correction, listed.revision
    at = moment(listed.recorded_at, listed.recorded_at, site_tzinfo(snapshot))
    return ListedCorrection(
        title=public_title(snapshot, article),
        href=article_href(article.slug),
        at=at,
        note=note_of(correction, at) if correction else None,
        changed=changed_names(revision) if revision else (),
        change_href=change_href(article, revision.number) if revision and has_history else None,
    )


def _footer(pages: Pages, snapshot: Snapshot, subject: object) -> Sequence[Link]:
    return [Link("Corrections", "/corrections")]


PAGES: Final = PageContribution(
    routes={"/corrections": _corrections},
    changes={"/corrections": corrections_page_changes},
    templates=Path(__file__).parent / "templates",
    links={"footer": _footer},
)
