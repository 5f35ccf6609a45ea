"""Find the posts of earlier imports by their headlines, even if an editor has changed them since.

A page identifies a post by its headline alone. So the idempotency key of a post is derived from its headline, and the
command with this key identifies the post, even if its title and slug have changed. Posts with the same headline but
different teasers ("Letters of the week") are different posts, which are numbered.
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
from ledgerpress.features.posts import model as posts
from ledgerpress.features.posts.model import POSTS, Post, PostCreated, PostEdited, PostPublished

DATE_GUESSED: Final = "imported from a saved page; it gives no date, so that of its retrieval was taken"
"""The recorded reason of a publication with a guessed date. It MUST never change: later imports compare with it."""

_WORD: Final = re.compile(r"\w+")
_CUT: Final = re.compile(r"\s*[\[(]?(?:…|\.\.\.)[\])]?$")


@dataclass(frozen=True, slots=True)
class ImportedPost:
    """The current state of a post that an import created.

    `teaser` is the last teaser from an import. `is_untouched` means that only imports have changed the post, and none
    of its events was withdrawn. `date_is_guessed` refers to the current date.
    """

    post: Post
    version: int
    teaser: str | None
    is_untouched: bool
    date_is_guessed: bool


class ImportedPosts:
    """Finds imported posts for one page. Two entries of a page are never the same post."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store
        self._codec = store.codec

    async def find(
        self, title: str, teaser: str | None, *, others: frozenset[str]
    ) -> tuple[str, ImportedPost | None]:
        """Return the idempotency key for this headline and the post, or `None` if the post must be created.

        `others` are the keys of other posts of the page.
        """
        for number in count(1):
            key = post_key(title, number)
            if key in others:
                continue
            post_id = self._created_by(key)
            if post_id is None:
                return key, None
            imported = await self.load(post_id)
            if _may_be_same(imported.teaser, teaser):
                return key, imported
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
    untouched, guessed = True, False
    for recorded in history:
        event = recorded.event
        post = posts.evolve(post, event)
        by_import = recorded.header.actor_id == IMPORTER.id and not isinstance(event, Withdrawn)
        untouched = untouched and by_import
        if by_import and isinstance(event, PostCreated | PostEdited) and event.teaser is not UNSET:
            teaser = event.teaser
        if isinstance(event, PostPublished):
            guessed = recorded.reason == DATE_GUESSED
    if post is None:
        raise LookupError(f"there is no post {post_id}")
    return ImportedPost(post, len(history), teaser, untouched, guessed)


def _may_be_same(stored: str | None, parsed: str | None) -> bool:
    """Return whether two teasers may belong to the same post: if one is missing or begins with the other."""
    if stored is None or parsed is None:
        return True
    first, second = (_CUT.sub("", teaser).casefold() for teaser in (stored, parsed))
    return first.startswith(second) or second.startswith(first)
