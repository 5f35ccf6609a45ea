"""Which media type an answer gets (RFC 9110, 12.5.1), and which one a request has (RFC 9110, 8.3)."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
JSON: Final = "application/json"
_QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
# Both separators may stand inside a quoted string.
_ELEMENT: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_PART: Final = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')
LONGEST: Final = 4_096
"""A longer header is not read: no client needs one, and none shall cost time."""


class MediaRange(NamedTuple):
    """One of the media ranges that a client accepts."""

    name: str
    charset: str | None
    has_other_parameters: bool
    quality: float

    def covers(self, media_type: str) -> bool:
        """Whether it takes in a media type, in UTF-8 and without parameters of its own."""
        if self.has_other_parameters or self.charset not in {None, "utf-8", "utf8", "*"}:
            return False
        return self.name in {media_type, "*/*"} or (
            self.name.endswith("/*") and media_type.startswith(self.name[:-1])
        )


def answer_media_type(accept: bytes) -> str | None:
    """Return the media type for an answer, `None` where the client accepts neither.

    `application/graphql-response+json` goes to clients that name it: others may not know it. `accept` is empty where
    there is no such header.
    """
    return _answer_media_type(accept) if len(accept) <= LONGEST else None


@lru_cache(maxsize=512)
def _answer_media_type(accept: bytes) -> str | None:
    ranges = list(_media_ranges(accept))
    if not ranges and not accept.strip(b" \t,"):
        return JSON
    graphql, json = _quality(ranges, GRAPHQL_RESPONSE), _quality(ranges, JSON)
    if not graphql and not json:
        return None
    if graphql == json:
        return GRAPHQL_RESPONSE if any(one.name == GRAPHQL_RESPONSE for one in ranges) else JSON
    return GRAPHQL_RESPONSE if graphql > json else JSON


def names_html(accept: bytes) -> bool:
    """Whether a client names HTML among what it accepts, as browsers do; `*/*` is what programs send."""
    return len(accept) <= LONGEST and _names_html(accept)


@lru_cache(maxsize=512)
def _names_html(accept: bytes) -> bool:
    return any(
        one.name in {"text/html", "application/xhtml+xml"} and one.quality for one in _media_ranges(accept)
    )


def prefers_event_stream(accept: bytes) -> bool:
    """Whether a client would rather have an event stream than JSON: it may name both, and by its order where alike."""
    is_named = b"text/event-stream" in accept.lower()
    return is_named and len(accept) <= LONGEST and _prefers_event_stream(accept)


@lru_cache(maxsize=256)
def _prefers_event_stream(accept: bytes) -> bool:
    stream = json = (0.0, 0)
    for number, one in enumerate(_media_ranges(accept)):
        wanted = (one.quality, -number)
        if one.name == "text/event-stream":
            stream = max(stream, wanted)
        elif one.name in {JSON, GRAPHQL_RESPONSE}:
            json = max(json, wanted)
    return stream[0] > 0 and stream > json


def is_json(content_type: bytes) -> bool:
    """Whether the Content-Type of a request is JSON in UTF-8."""
    return len(content_type) <= LONGEST and _is_json(content_type)


@lru_cache(maxsize=256)
def _is_json(content_type: bytes) -> bool:
    name, *parameters = _parts(content_type.decode("latin-1"))
    charset = dict(_parameter(one) for one in parameters).get("charset", "utf-8")
    return name.lower() == JSON and charset.lower() in {"utf-8", "utf8"}


def _media_ranges(accept: bytes) -> Iterator[MediaRange]:
    """Read an Accept header. What is not a media range there is left out."""
    for element in _ELEMENT.findall(accept.decode("latin-1")):
        name, *rest = _parts(element)
        parameters = dict(_parameter(one) for one in rest)
        quality = parameters.pop("q", "1")
        charset = parameters.pop("charset", None)
        if "/" in name and _QUALITY.fullmatch(quality):
            lowered = charset.lower() if charset else None
            yield MediaRange(name.lower(), lowered, bool(parameters), float(quality))


def _quality(ranges: list[MediaRange], media_type: str) -> float:
    """Return how much a media type is wanted: the most specific range that covers it says so."""
    covering = [one for one in ranges if one.covers(media_type)]
    return max(covering, key=_specificity).quality if covering else 0.0


def _specificity(one: MediaRange) -> tuple[int, bool, float]:
    return 2 - one.name.count("*"), one.charset is not None, one.quality


def _parts(element: str) -> list[str]:
    return [part.strip(" \t") for part in _PART.findall(element)] or [""]


def _parameter(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return name.strip(" \t").lower(), value.strip(" \t")
