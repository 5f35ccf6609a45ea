"""Answers that are asked for again: entity tags, `If-None-Match` (RFC 9110, 13.1.2) and `Cache-Control` (RFC 9111, 5.2).

An answer's tag is made of its bytes, and every answer is made at a position of the log, so a client that asks again
learns of the first event that changed what it asked for.
"""

import hashlib
import re
from functools import lru_cache
from typing import Final

from ledgerpress.http.content_negotiation import GRAPHQL_RESPONSE

# Two representations of one answer have two tags: a tag stands for the media type as well (RFC 9110, 8.8.3).
_LETTER: Final = {GRAPHQL_RESPONSE: "g"}
_LONGEST: Final = 4_096
"""What stands beyond it in a header is not looked at."""
_TAG: Final = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def digest(body: bytes) -> str:
    """Return what tells an answer from others, for its entity tag."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def entity_tag(digest: str, media_type: str) -> bytes:
    """Return the entity tag of an answer as one media type. The digest may be quoted."""
    return f'"{_LETTER.get(media_type, "j")}{digest.strip(chr(34))}"'.encode("ascii")


def is_known(if_none_match: bytes | None, tag: bytes) -> bool:
    """Whether the client has that answer already. Tags are compared weakly."""
    if if_none_match is None:
        return False
    if if_none_match == tag:
        return True
    return tag in _tags(if_none_match[:_LONGEST]) or if_none_match.strip() == b"*"


def cache_control(*, public: bool, max_age: int) -> bytes:
    """Return for whom an answer may be kept, and for how many seconds without asking again."""
    return b"%s, %s" % (
        b"public" if public else b"private",
        b"max-age=%d" % max_age if max_age else b"no-cache",
    )


@lru_cache(maxsize=256)
def _tags(if_none_match: bytes) -> frozenset[bytes]:
    return frozenset(_TAG.findall(if_none_match))
