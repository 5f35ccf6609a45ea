"""Write feeds in JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from typing import Any, Final

import msgspec

from ledgerpress.features.feeds.document_head import DocumentHead
from ledgerpress.features.feeds.entries import Entry
from ledgerpress.features.feeds.feed_selection import Selection
from ledgerpress.graphql.scalars import iso_time

MEDIA_TYPE: Final = "application/feed+json"
_encode: Final = msgspec.json.Encoder().encode


def json_feed(head: DocumentHead, selection: Selection) -> bytes:
    """Return a document of a feed. Entries that were deleted are absent: the format has no word for them."""
    feed: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": head.title,
        "home_page_url": head.page_url,
        "feed_url": head.self_url,
        "language": head.language,
        "authors": [{"name": head.site_name}],
    }
    if head.description is not None:
        feed["description"] = head.description
    if head.logo_url is not None:
        feed["icon"] = head.logo_url
    if head.previous_url is not None:
        feed["next_url"] = head.previous_url
    feed["items"] = [_item(entry) for entry in selection.entries]
    return _encode(feed)


def _item(entry: Entry) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": entry.id,
        "url": entry.url,
        "title": entry.title,
        "date_published": iso_time(entry.published),
        "date_modified": iso_time(entry.updated),
    }
    if entry.html is None:
        item["content_text"] = entry.summary
    else:
        item["content_html"] = entry.html
    if entry.summary:
        item["summary"] = entry.summary
    if entry.authors:
        item["authors"] = [{"name": name} for name in entry.authors]
    if entry.tags:
        item["tags"] = [tag.label for tag in entry.tags]
    return item
