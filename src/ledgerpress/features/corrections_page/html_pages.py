"""The page of corrections, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.features.corrections_page.entry_queries import CorrectionEntry, entry, positions
from ledgerpress.features.corrections_page.page_changes import corrections_page_changes
from ledgerpress.features.posts.corrections.queries import PublishedTexts
from ledgerpress.features.posts.pages import Moment, Note, article_href, moment, note_of
from ledgerpress.features.public_history.correction_links import CHANGE, link_of_correction
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
_PATH: Final = "/corrections"
_NOTES: Final = "notes"
_ONLY: Final = "only"
"""With `?notes=only`, edits without a note are left out."""


@dataclass(frozen=True, slots=True)
class ListedCorrection:
    """An entry of the page. `note` is `None` for an edit without a note, whose changed fields are in `changed`.

    `link` leads to what the entry is about.
    """

    title: str
    href: str
    at: Moment
    note: Note | None
    changed: Sequence[Text]
    link: Link | None


def _corrections(pages: Pages, snapshot: Snapshot, request: Request) -> Response:
    parameters = request.query_params
    only_notes = parameters.get(_NOTES) == _ONLY
    with_edits = pages.public_history and not only_notes
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
    start = f"?{_NOTES}={_ONLY}&" if only_notes else "?"
    response = pages.page(
        snapshot,
        "corrections.html",
        entries=[_listed(pages, snapshot, each) for each in entries if each],
        with_edits=with_edits,
        has_edits=pages.public_history,
        all_href=_PATH,
        notes_href=f"{_PATH}?{_NOTES}={_ONLY}",
        newer=f"{start}before={encode_cursor(page.entries[0])}"
        if page.entries and page.has_previous
        else None,
        older=f"{start}after={encode_cursor(page.entries[-1])}" if page.entries and page.has_next else None,
    )
    return revalidated(request, response)


def _listed(pages: Pages, snapshot: Snapshot, listed: CorrectionEntry) -> ListedCorrection:
    article, correction, revision = listed.article, listed.correction, listed.revision
    zone = site_tzinfo(snapshot)

    def at(time: int) -> Moment:
        return moment(time, time, zone)

    if correction is not None:
        link = link_of_correction(pages, snapshot, article, correction)
    else:
        href = change_href(article, revision.number) if revision else None
        link = Link(CHANGE, href) if href else None
    return ListedCorrection(
        title=public_title(snapshot, article),
        href=article_href(article.slug),
        at=at(listed.recorded_at),
        note=note_of(correction, PublishedTexts(snapshot, article.seq), at) if correction else None,
        changed=changed_names(revision) if revision else (),
        link=link,
    )


def _footer(pages: Pages, snapshot: Snapshot, subject: object) -> Sequence[Link]:
    return [Link("Corrections", _PATH)]


PAGES: Final = PageContribution(
    routes={_PATH: _corrections},
    changes={_PATH: corrections_page_changes},
    templates=Path(__file__).parent / "templates",
    links={"footer": _footer},
)
