"""Generated posts for measurements, written directly to the log in large appends with the normal codec."""

import time
from collections.abc import Iterable, Sequence
from itertools import islice

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import NewEvent
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import NO_STREAM, StreamWrite
from ledgerpress.features.categories.commands import CreateCategory
from ledgerpress.features.posts.model import POSTS, PostCategorized, PostCreated, PostEdited, PostPublished
from ledgerpress.features.registry import event_codec
from ledgerpress.server.store import Store
from scripts.workloads.numbered_events import numbered_event

CATEGORIES = 10
HOUR = 3_600_000_000
START = 1_700_000_000_000_000
BODY = "A paragraph of some length, as a post has it. " * 8


async def make_categories(store: Store) -> list[str]:
    """Create the categories and return their ids."""
    outcomes = [
        await store.commands.handle(CreateCategory(name=f"Section {number}")) for number in range(CATEGORIES)
    ]
    return [outcome.subject_id for outcome in outcomes]


class Generator:
    """Creates the events of numbered posts, one command per event; ids, salts and times depend only on the numbers."""

    def __init__(self, category_ids: Sequence[str]) -> None:
        self._codec = event_codec()
        self._category_ids = category_ids
        self._events = 0

    def post(self, number: int, published_at: int) -> StreamWrite:
        """Return the first three events of a post: created, categorized and published."""
        post_id = uuid8("post", number)
        category_id = self._category_ids[number % len(self._category_ids)]
        created = PostCreated(
            post_id=post_id,
            slug=f"post-{number}",
            title=f"Post {number}",
            teaser=f"What post {number} is about.",
            body=BODY,
            author_ids=(),
        )
        categorized = PostCategorized(post_id=post_id, category_id=category_id)
        published = PostPublished(post_id=post_id, revision=1, published_at=published_at, correction=None)
        return self._write(post_id, NO_STREAM, (created, categorized, published))

    def edit(self, number: int, version: int, published_at: int) -> StreamWrite:
        """Return an edit of a post at stream version `version`, and its publication."""
        post_id = uuid8("post", number)
        edited = PostEdited(post_id=post_id, title=f"Post {number}, version {version}")
        revision = 2 + (version - 3) // 2
        published = PostPublished(
            post_id=post_id, revision=revision, published_at=published_at, correction=None
        )
        return self._write(post_id, version, (edited, published))

    def retitle(self, number: int, version: int) -> StreamWrite:
        """Return an edit of a post at stream version `version` without a publication."""
        post_id = uuid8("post", number)
        return self._write(
            post_id, version, (PostEdited(post_id=post_id, title=f"Post {number}, version {version}"),)
        )

    def _write(self, post_id: str, expected: int, facts: Sequence[Event]) -> StreamWrite:
        return StreamWrite(POSTS.stream(post_id), expected, tuple(self._new(fact) for fact in facts))

    def _new(self, fact: Event) -> NewEvent:
        self._events += 1
        return numbered_event(self._codec, fact, self._events, START + self._events * 1_000_000)


async def record(store: Store, writes: Iterable[StreamWrite]) -> int:
    """Append `writes`, wait for the views, print the duration, and return the head."""
    started, head, source = time.perf_counter(), 0, iter(writes)
    while batch := list(islice(source, 500)):
        head = await store.log.append(batch)
    if not await store.views.wait_for(head, timeout=3_600):
        raise SystemExit("the views did not catch up within an hour")
    print(f"  head {head:,}: {time.perf_counter() - started:.1f} s to write and project", flush=True)
    return head
