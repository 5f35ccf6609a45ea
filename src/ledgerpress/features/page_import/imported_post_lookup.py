"""Find the posts of earlier imports by their headlines, even if an editor has changed them since.

A page identifies a post by its headline. So the idempotency key of a post is derived from its headline, and the
command with this key identifies the post, even if its title and slug have changed. Different posts with the same
headline ("Letters of the week") are numbered.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from msgspec import UNSET

from ledgerpress.commands import executed_commands_view
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
from ledgerpress.features.actors.model import IMPORTER
from ledgerpress.features.page_import.idempotent_import_commands import OpenStore
from ledgerpress.features.page_import.page_post import PagePost, is_known
from ledgerpress.features.page_import.same_post import Match, distance, match
from ledgerpress.features.posts import model as posts
from ledgerpress.features.posts.model import POSTS, Post, PostCreated, PostEdited, PostPublished

_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class ImportedPost:
    """The current state of a post that an import created.

    `teaser`, `body` and `published_at` are the last ones from an import, and `date_reason` is the recorded reason of
    this date. A withdrawn body or date is `None`. `is_untouched` means that only imports have changed the post, and
    none of its events was withdrawn.
    """

    post: Post
    version: int
    teaser: str | None
    body: str | None
    published_at: int | None
    date_reason: str | None
    is_untouched: bool

    @property
    def date_is_known(self) -> bool:
        return is_known(self.date_reason)


class ImportedPosts:
    """Finds imported posts for one page. Two entries of a page are never the same post."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store
        self._codec = store.codec

    async def find(self, page: PagePost, *, others: frozenset[str]) -> tuple[str, ImportedPost | None]:
        """Return the idempotency key for this post, and the post, or `None` if it must be created.

        `others` are the keys of other posts of the page. If several posts match, a certain match counts more, then the
        nearest date, then the first import.
        """
        best: tuple[Match, int, str, ImportedPost] | None = None
        for number in count(1):
            key = post_key(page.title, number)
            if key in others:
                continue
            post_id = self._created_by(key)
            if post_id is None:
                return (best[2], best[3]) if best else (key, None)
            imported = await self.load(post_id)
            quality, apart = match(imported, page), distance(imported, page)
            if quality and (best is None or (quality, -apart) > (best[0], -best[1])):
                best = quality, apart, key, imported
        raise AssertionError("unreachable")

    def _created_by(self, key: str) -> str | None:
        """Return the id of the post that an import created with an idempotency key, or `None`."""
        command_id = uuid8(self._store.log.publication, IMPORTER.id, key)
        with self._store.snapshot() as snapshot:
            result = executed_commands_view.previous_result(snapshot, command_id)
        return result.subject_id if result else None

    async def load(self, post_id: str) -> ImportedPost:
        """Return an imported post by its id. Raises `LookupError` if there is none."""
        history = self._codec.decode_all(await self._store.log.read_stream(POSTS.stream(post_id)))
        return _fold(history, post_id)


def post_key(title: str, number: int) -> str:
    """Return the idempotency key of the `number`-th post with a headline, ignoring case and punctuation.

    It is stored, and MUST never change.
    """
    words = " ".join(_WORD.findall(title.casefold())) or title
    return f"page.post.{number}.{hashlib.sha256(words.encode()).hexdigest()}"


def _fold(history: Sequence[Recorded[Event]], post_id: str) -> ImportedPost:
    post: Post | None = None
    teaser: str | None = None
    body: str | None = None
    published_at: int | None = None
    date_reason: str | None = None
    untouched = True
    for recorded in history:
        event = recorded.event
        post = posts.evolve(post, event)
        by_import = recorded.header.actor_id == IMPORTER.id and not isinstance(event, Withdrawn)
        untouched = untouched and by_import
        if by_import and isinstance(event, PostCreated | PostEdited):
            teaser = teaser if event.teaser is UNSET else event.teaser
            body = body if event.body is UNSET else event.body
        if by_import and isinstance(event, PostPublished):
            published_at, date_reason = event.published_at, recorded.reason
    if post is None:
        raise LookupError(f"there is no post {post_id}")
    return ImportedPost(post, len(history), teaser, body, published_at, date_reason, untouched)
