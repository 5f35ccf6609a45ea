"""Choose the media type of a response (RFC 9110, 12.5.1) and check that of a request (RFC 9110, 8.3)."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
JSON: Final = "application/json"
_QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
# A quoted string may contain either separator.
_ELEMENT: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_PART: Final = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')
MAX_HEADER: Final = 4_096
"""A longer header is not parsed: no client needs one."""


class MediaRange(NamedTuple):
    name: str
    charset: str | None
    has_other_parameters: bool
    quality: float

    def covers(self, media_type: str) -> bool:
        """Return whether the range covers a media type in UTF-8 without other parameters."""
        if self.has_other_parameters or self.charset not in {None, "utf-8", "utf8", "*"}:
            return False
        return self.name in {media_type, "*/*"} or (
            self.name.endswith("/*") and media_type.startswith(self.name[:-1])
        )


def response_media_type(accept: bytes) -> str | None:
    """Return the media type of the response, or `None` if the client accepts neither of the two.

    If the client accepts both equally, it gets `application/graphql-response+json` only if it names that type: other
    clients may not know it. `accept` is the value of the Accept header, empty if there is none.
    """
    return _response_media_type(accept) if len(accept) <= MAX_HEADER else None


@lru_cache(maxsize=512)
def _response_media_type(accept: bytes) -> str | None:
    ranges = list(_media_ranges(accept))
    if not ranges and not accept.strip(b" \t,"):
        return JSON
    graphql, json = _quality(ranges, GRAPHQL_RESPONSE), _quality(ranges, JSON)
    if not graphql and not json:
        return None
    if graphql == json:
        return (
            GRAPHQL_RESPONSE if any(media_range.name == GRAPHQL_RESPONSE for media_range in ranges) else JSON
        )
    return GRAPHQL_RESPONSE if graphql > json else JSON


def names_html(accept: bytes) -> bool:
    """Return whether a client names HTML in its Accept header, as browsers do; programs send `*/*`."""
    return len(accept) <= MAX_HEADER and _names_html(accept)


@lru_cache(maxsize=512)
def _names_html(accept: bytes) -> bool:
    return any(
        media_range.name in {"text/html", "application/xhtml+xml"} and media_range.quality
        for media_range in _media_ranges(accept)
    )


def prefers_event_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a client prefers an event stream to JSON. If the qualities are equal, the first one counts."""
    accept = b""
    for name, value in headers:
        if name == b"accept":
            accept = accept + b"," + value if accept else value
    is_named = b"text/event-stream" in accept.lower()
    return is_named and len(accept) <= MAX_HEADER and _prefers_event_stream(accept)


@lru_cache(maxsize=256)
def _prefers_event_stream(accept: bytes) -> bool:
    stream = json = (0.0, 0)
    for number, media_range in enumerate(_media_ranges(accept)):
        preference = (media_range.quality, -number)
        if media_range.name == "text/event-stream":
            stream = max(stream, preference)
        elif media_range.name in {JSON, GRAPHQL_RESPONSE}:
            json = max(json, preference)
    return stream[0] > 0 and stream > json


def is_json(content_type: bytes) -> bool:
    """Return whether a Content-Type header means JSON in UTF-8."""
    return len(content_type) <= MAX_HEADER and _is_json(content_type)


@lru_cache(maxsize=256)
def _is_json(content_type: bytes) -> bool:
    name, *parameters = _parts(content_type.decode("latin-1"))
    charset = dict(map(_parameter, parameters)).get("charset", "utf-8")
    return name.lower() == JSON and charset.lower() in {"utf-8", "utf8"}


def _media_ranges(accept: bytes) -> Iterator[MediaRange]:
    """Parse an Accept header. Invalid elements are ignored."""
    for element in _ELEMENT.findall(accept.decode("latin-1")):
        name, *rest = _parts(element)
        parameters = dict(map(_parameter, rest))
        quality = parameters.pop("q", "1")
        charset = parameters.pop("charset", None)
        if "/" in name and _QUALITY.fullmatch(quality):
            lowered = charset.lower() if charset else None
            yield MediaRange(name.lower(), lowered, bool(parameters), float(quality))


def _quality(ranges: list[MediaRange], media_type: str) -> float:
    """Return the quality of a media type: that of the most specific range that covers it, or 0."""
    covering = [media_range for media_range in ranges if media_range.covers(media_type)]
    return max(covering, key=_specificity).quality if covering else 0.0


def _specificity(media_range: MediaRange) -> tuple[int, bool, float]:
    return 2 - media_range.name.count("*"), media_range.charset is not None, media_range.quality


def _parts(element: str) -> list[str]:
    return [part.strip(" \t") for part in _PART.findall(element)] or [""]


def _parameter(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return name.strip(" \t").lower(), value.strip(" \t")
