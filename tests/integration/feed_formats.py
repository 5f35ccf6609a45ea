"""Grammars of the formats of feeds and sitemaps, and what their specifications require beyond a grammar.

The grammars are written from the specifications, for the elements that LedgerPress writes: any other element fails.
"""

from collections import Counter
from typing import Any, Final
from urllib.parse import urlsplit

import feedparser  # type: ignore[import-untyped]
import httpx2
import jsonschema
from lxml import etree

ATOM: Final = "{http://www.w3.org/2005/Atom}"
TOMBSTONES: Final = "{http://purl.org/atompub/tombstones/1.0}"
HISTORY: Final = "{http://purl.org/syndication/history/1.0}"
SITEMAP: Final = "{http://www.sitemaps.org/schemas/sitemap/0.9}"

_ATOM_GRAMMAR: Final = """
<grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="http://www.w3.org/2005/Atom"
    datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <start><element name="feed">
    <attribute name="xml:lang"><data type="language"/></attribute>
    <interleave>
      <element name="id"><ref name="urn"/></element>
      <element name="title"><text/></element>
      <optional><element name="subtitle"><text/></element></optional>
      <element name="updated"><ref name="date"/></element>
      <optional><element name="logo"><ref name="url"/></element></optional>
      <oneOrMore><ref name="author"/></oneOrMore>
      <oneOrMore><ref name="link"/></oneOrMore>
      <optional><element name="generator"><text/></element></optional>
      <optional><element name="archive" ns="http://purl.org/syndication/history/1.0"><empty/></element></optional>
      <zeroOrMore><element name="deleted-entry" ns="http://purl.org/atompub/tombstones/1.0">
        <attribute name="ref" ns=""><ref name="urn"/></attribute>
        <attribute name="when" ns=""><ref name="date"/></attribute>
      </element></zeroOrMore>
    </interleave>
    <zeroOrMore><element name="entry"><interleave>
      <element name="id"><ref name="urn"/></element>
      <element name="title"><data type="string"><param name="minLength">1</param></data></element>
      <element name="published"><ref name="date"/></element>
      <element name="updated"><ref name="date"/></element>
      <ref name="link"/>
      <zeroOrMore><ref name="author"/></zeroOrMore>
      <zeroOrMore><element name="category">
        <attribute name="term" ns=""/>
        <optional><attribute name="scheme" ns=""><ref name="url"/></attribute></optional>
        <attribute name="label" ns=""/>
      </element></zeroOrMore>
      <optional><element name="summary"><text/></element></optional>
      <optional><element name="content">
        <attribute name="type" ns=""><value>html</value></attribute><text/>
      </element></optional>
    </interleave></element></zeroOrMore>
  </element></start>
  <define name="author"><element name="author"><element name="name"><text/></element></element></define>
  <define name="link"><element name="link">
    <attribute name="rel" ns=""/>
    <attribute name="type" ns=""><data type="string"><param name="pattern">.+/.+</param></data></attribute>
    <attribute name="href" ns=""><ref name="url"/></attribute>
  </element></define>
  <define name="date"><data type="dateTime"><param name="pattern">.*Z</param></data></define>
  <define name="url"><data type="anyURI"><param name="pattern">https?://[!-~]+</param></data></define>
  <define name="urn"><data type="anyURI"><param name="pattern">urn:uuid:[0-9a-f\\-]{36}</param></data></define>
</grammar>
"""
_SITEMAP_SCHEMA: Final = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:s="http://www.sitemaps.org/schemas/sitemap/0.9"
    targetNamespace="http://www.sitemaps.org/schemas/sitemap/0.9" elementFormDefault="qualified">
  <xs:simpleType name="location"><xs:restriction base="xs:anyURI">
    <xs:minLength value="12"/><xs:maxLength value="2048"/><xs:pattern value="https?://[!-~]+"/>
  </xs:restriction></xs:simpleType>
  <xs:element name="urlset"><xs:complexType><xs:sequence>
    <xs:element name="url" minOccurs="1" maxOccurs="50000"><xs:complexType><xs:sequence>
      <xs:element name="loc" type="s:location"/>
      <xs:element name="lastmod" type="xs:dateTime" minOccurs="0"/>
      <xs:any namespace="http://www.google.com/schemas/sitemap-news/0.9" processContents="skip" minOccurs="0"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
  <xs:element name="sitemapindex"><xs:complexType><xs:sequence>
    <xs:element name="sitemap" minOccurs="1" maxOccurs="50000"><xs:complexType><xs:sequence>
      <xs:element name="loc" type="s:location"/>
      <xs:element name="lastmod" type="xs:dateTime" minOccurs="0"/>
    </xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""
_TIME: Final = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
_URL: Final = {"type": "string", "pattern": "^https?://[!-~]+$"}
_AUTHORS: Final = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string", "minLength": 1}},
        "required": ["name"],
        "additionalProperties": False,
    },
}
_JSON_FEED: Final = {
    "type": "object",
    "required": ["version", "title", "items"],
    "additionalProperties": False,
    "properties": {
        "version": {"const": "https://jsonfeed.org/version/1.1"},
        "title": {"type": "string", "minLength": 1},
        "description": {"type": "string", "minLength": 1},
        "icon": _URL,
        "home_page_url": _URL,
        "feed_url": _URL,
        "next_url": _URL,
        "language": {"type": "string"},
        "authors": _AUTHORS,
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id"],
                "oneOf": [{"required": ["content_html"]}, {"required": ["content_text"]}],
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "string", "pattern": "^urn:uuid:[0-9a-f-]{36}$"},
                    "url": _URL,
                    "title": {"type": "string", "minLength": 1},
                    "content_html": {"type": "string"},
                    "content_text": {"type": "string"},
                    "summary": {"type": "string"},
                    "date_published": _TIME,
                    "date_modified": _TIME,
                    "authors": _AUTHORS,
                    "tags": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                },
            },
        },
    },
}
_atom: Final = etree.RelaxNG(etree.fromstring(_ATOM_GRAMMAR))
_sitemap: Final = etree.XMLSchema(etree.fromstring(_SITEMAP_SCHEMA))


def parsed(response: httpx2.Response) -> Any:
    """Return the root element of an XML document."""
    assert response.status_code == 200, response.text
    return etree.fromstring(response.content)


def valid_atom(response: httpx2.Response) -> Any:
    """Return the root element of a valid Atom document."""
    feed = parsed(response)
    assert response.headers["content-type"] == "application/atom+xml; charset=utf-8"
    _atom.assertValid(feed)
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert len(links) == len(feed.findall(f"{ATOM}link"))
    assert {"self", "alternate"} <= links.keys()
    assert str(response.url).partition("?")[0] == links["self"].partition("?")[0]
    is_archive = feed.find(f"{HISTORY}archive") is not None
    assert ("current" in links) == is_archive
    ids = Counter(entry.findtext(f"{ATOM}id") for entry in feed.findall(f"{ATOM}entry"))
    deleted = [entry.get("ref") for entry in feed.findall(f"{TOMBSTONES}deleted-entry")]
    assert all(count == 1 for count in ids.values())
    assert len(set(deleted)) == len(deleted)
    assert not ids.keys() & set(deleted)
    # An independent program reads the same.
    read = feedparser.parse(response.content)
    assert not read.bozo, read.get("bozo_exception")
    assert read.version == "atom10"
    assert [entry.id for entry in read.entries] == list(ids)
    return feed


def valid_json_feed(response: httpx2.Response) -> dict[str, Any]:
    """Return a valid JSON Feed."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/feed+json; charset=utf-8"
    feed: dict[str, Any] = response.json()
    jsonschema.validate(feed, _JSON_FEED)
    assert feed.get("next_url") != feed["feed_url"]
    assert len({item["id"] for item in feed["items"]}) == len(feed["items"])
    return feed


def valid_sitemap(response: httpx2.Response) -> dict[str, str | None]:
    """Return the `lastmod` of each address in a valid sitemap, or in a valid index."""
    root = parsed(response)
    assert response.headers["content-type"] == "application/xml; charset=utf-8"
    _sitemap.assertValid(root)
    urls = {child.findtext(f"{SITEMAP}loc"): child.findtext(f"{SITEMAP}lastmod") for child in root}
    assert len(urls) == len(root)
    assert {urlsplit(url).netloc for url in urls} == {urlsplit(str(response.url)).netloc}
    return urls


def entries(feed: Any) -> dict[str, Any]:
    """Return the entries of an Atom document by title."""
    return {entry.findtext(f"{ATOM}title"): entry for entry in feed.findall(f"{ATOM}entry")}


def updated(feed: Any) -> dict[str, str]:
    """Return the `updated` of each entry of an Atom document by id."""
    return {
        entry.findtext(f"{ATOM}id"): entry.findtext(f"{ATOM}updated")
        for entry in feed.findall(f"{ATOM}entry")
    }


def deleted(feed: Any) -> dict[str, str]:
    """Return the deleted entries of an Atom document, each with the time of its deletion."""
    return {entry.get("ref"): entry.get("when") for entry in feed.findall(f"{TOMBSTONES}deleted-entry")}


def link(feed: Any, rel: str) -> str | None:
    """Return the URL of a link of an Atom document."""
    return next((link.get("href") for link in feed.findall(f"{ATOM}link") if link.get("rel") == rel), None)
