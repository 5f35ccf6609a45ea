"""Write feeds in Atom (RFC 4287), with archives (RFC 5005) and deleted entries (RFC 6721)."""

from collections.abc import Iterator
from typing import Final

from ledgerpress.features.feeds.document_head import DocumentHead
from ledgerpress.features.feeds.entries import DeletedEntry, Entry
from ledgerpress.features.feeds.feed_selection import Selection
from ledgerpress.features.feeds.xml_writer import Xml, document, element
from ledgerpress.graphql.scalars import iso_time

MEDIA_TYPE: Final = "application/atom+xml"
_NAMESPACES: Final = {
    "": "http://www.w3.org/2005/Atom",
    "at": "http://purl.org/atompub/tombstones/1.0",
    "fh": "http://purl.org/syndication/history/1.0",
}


def atom(head: DocumentHead, selection: Selection) -> bytes:
    """Return a document of a feed."""
    return document("feed", _children(head, selection), _NAMESPACES, xml__lang=head.language)


def _children(head: DocumentHead, selection: Selection) -> Iterator[Xml]:
    yield element("id", head.id)
    yield element("title", head.title)
    if head.description is not None:
        yield element("subtitle", head.description)
    yield element("updated", iso_time(selection.updated))
    yield element("author", element("name", head.site_name))
    yield element("link", rel="self", type=MEDIA_TYPE, href=head.self_url)
    yield element("link", rel="alternate", type="text/html", href=head.page_url)
    if selection.archives.number is not None:
        yield element("fh:archive")
        yield element("link", rel="current", type=MEDIA_TYPE, href=head.current_url)
    if head.previous_url is not None:
        yield element("link", rel="prev-archive", type=MEDIA_TYPE, href=head.previous_url)
    yield element("generator", "LedgerPress")
    if head.logo_url is not None:
        yield element("logo", head.logo_url)
    yield from map(_deleted, selection.deleted)
    yield from map(_entry, selection.entries)


def _entry(entry: Entry) -> Xml:
    return element(
        "entry",
        element("id", entry.id),
        element("title", entry.title),
        element("link", rel="alternate", type="text/html", href=entry.url),
        element("published", iso_time(entry.published)),
        element("updated", iso_time(entry.updated)),
        *(element("author", element("name", name)) for name in entry.authors),
        *(element("category", term=tag.term, scheme=tag.scheme, label=tag.label) for tag in entry.tags),
        *([element("summary", entry.summary)] if entry.summary else ()),
        *([] if entry.html is None else [element("content", entry.html, type="html")]),
    )


def _deleted(entry: DeletedEntry) -> Xml:
    return element("at:deleted-entry", ref=entry.id, when=iso_time(entry.at))
