"""A generated log of a newsroom: many parallel posts, each created, edited and published, some corrected or archived.

Ids, salts, times and words are derived from a seed, so logs of the same size are always equal.
"""

import heapq
import random
from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Final

from ledgerpress.eventlog.clock_randomness_ids import uuid7, uuid8
from ledgerpress.eventlog.envelope import NewEvent, StoredEvent
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.kernel_events import LOG_STREAM, LogOpened
from ledgerpress.features.actors.model import OPERATOR
from ledgerpress.features.authors.model import AUTHORS, AuthorRegistered
from ledgerpress.features.categories.model import TAXONOMY, CategoryCreated
from ledgerpress.features.posts.model import (
    POSTS,
    PostArchived,
    PostCategorized,
    PostCreated,
    PostEdited,
    PostPublished,
    PostUncategorized,
    PostUnpublished,
)
from ledgerpress.features.registry import event_codec
from ledgerpress.features.slugs import model as slugs

PUBLICATION: Final = uuid8("generated publication")
AUTHOR_IDS: Final = [uuid8("author", number) for number in range(12)]
CATEGORIES: Final = [uuid8("category", number) for number in range(24)]
"""The first four are at the top level; each of the others is a child of one of them."""

_MINUTE: Final = 60_000_000
_DAY: Final = 24 * 60 * _MINUTE
_START: Final = 1_400_000_000_000_000
_BETWEEN_POSTS: Final = 45 * _MINUTE
_NAME_KEY: Final = bytes(32)
WORDS: Final = [
    "the",
    "harbour",
    "council",
    "tide",
    "mill",
    "met",
    "again",
    "and",
    "said",
    "that",
    "night",
    "market",
    "stalls",
    "would",
    "move",
    "to",
    "the",
    "old",
    "tram",
    "depot",
    "before",
    "winter",
    "while",
    "residents",
    "asked",
    "who",
    "pays",
    "for",
    "lamps,",
    "benches",
    "and",
    "the",
    "bridge;",
    "a",
    "vote",
    "is",
    "due",
    "in",
    "March.",
]


class GeneratedLog:
    """Generates the events of a log without end."""

    def __init__(self) -> None:
        """Start at the first event, with the fixed seed."""
        self._codec = event_codec()
        self._chance = random.Random(20_26)  # noqa: S311  # reproducible test data
        self._position = 0
        self._versions: dict[str, int] = {}
        self._revisions: dict[int, int] = {}
        self._dates: dict[int, int] = {}

    def batches(self, events: int, size: int) -> Iterator[list[StoredEvent]]:
        """Yield the next `events` events in lists of `size`."""
        source = islice(self._events(), events)
        while batch := list(islice(source, size)):
            yield batch

    def _events(self) -> Iterator[StoredEvent]:
        yield from self._beginning()
        due: list[tuple[int, int, int, str]] = []
        ticket = count()
        for number in count():
            created_at = _START + (number + 1) * _BETWEEN_POSTS
            while due and due[0][0] <= created_at:
                at, _, post, change = heapq.heappop(due)
                yield from self._command(at, self._changed(post, change, at))
            yield from self._command(created_at, self._created(number))
            for at, change in self._plan(created_at):
                heapq.heappush(due, (at, next(ticket), number, change))

    def _beginning(self) -> Iterator[StoredEvent]:
        opened = LogOpened(format_version=1, name_key=_NAME_KEY.hex())
        yield from self._command(_START, [(LOG_STREAM, opened)])
        for number, author_id in enumerate(AUTHOR_IDS):
            author = AuthorRegistered(author_id=author_id, name=f"Author {number}", slug=f"author-{number}")
            yield from self._command(_START, [(AUTHORS.stream(author_id), author)])
        for number, category_id in enumerate(CATEGORIES):
            category = CategoryCreated(
                category_id=category_id,
                slug=f"section-{number}",
                name=f"Section {number}",
                description=None,
                parent_id=CATEGORIES[number % 4] if number >= 4 else None,
            )
            yield from self._command(_START, [(TAXONOMY.prefix, category)])

    def _plan(self, at: int) -> Iterator[tuple[int, str]]:
        """Yield the time and the kind of each later change of a post: most within two days, some years later."""
        chance = self._chance
        at += chance.randrange(5, 120) * _MINUTE
        for _ in range(chance.choice((1, 2, 3))):
            yield at, "edited"
            at += chance.randrange(5, 90) * _MINUTE
        yield at, "published"
        for _ in range(chance.choice((0, 1, 2, 2))):
            at += chance.randrange(10, 1_400) * _MINUTE
            yield at, "corrected"
        if chance.random() < 0.10:
            yield at + chance.randrange(_DAY), "categorized"
        if chance.random() < 0.05:
            yield at + chance.randrange(_DAY), "moved"
        if chance.random() < 0.15:
            yield at + chance.randrange(1_000) * _DAY, "corrected"
        if chance.random() < 0.03:
            yield at + chance.randrange(1_000) * _DAY, "unpublished"
        if chance.random() < 0.02:
            yield at + chance.randrange(1_000) * _DAY, "archived"

    def _created(self, number: int) -> list[tuple[str, Event]]:
        post_id, slug, chance = uuid8("post", number), f"post-{number}", self._chance
        claim = slugs.SlugClaimed(kind=slugs.SlugKind.POST, slug=slug, owner_id=post_id)
        created = PostCreated(
            post_id=post_id,
            slug=slug,
            title=f"Post {number}: " + self._text(6),
            teaser=self._text(20),
            body=self._text(chance.randrange(100, 500)),
            author_ids=tuple(chance.sample(AUTHOR_IDS, chance.choice((1, 1, 1, 2)))),
        )
        category_ids = [CATEGORIES[number % len(CATEGORIES)]]
        if chance.random() < 0.3:
            category_ids.append(CATEGORIES[(number + 7) % len(CATEGORIES)])
        self._revisions[number] = 1
        return [
            (slugs.SLUGS.stream(slugs.stream_id(slugs.SlugKind.POST, slug, _NAME_KEY)), claim),
            (POSTS.stream(post_id), created),
            *(
                (POSTS.stream(post_id), PostCategorized(post_id=post_id, category_id=category_id))
                for category_id in category_ids
            ),
        ]

    def _changed(self, number: int, change: str, at: int) -> list[tuple[str, Event]]:
        post_id, facts = uuid8("post", number), list[Event]()
        match change:
            case "edited" | "corrected":
                self._revisions[number] += 1
                title = f"Post {number}, again: " + self._text(6)
                body = self._text(self._chance.randrange(100, 500))
                facts.append(
                    PostEdited(post_id=post_id, body=body)
                    if self._chance.random() < 0.8
                    else PostEdited(post_id=post_id, title=title)
                )
            case "categorized":
                facts.append(PostCategorized(post_id=post_id, category_id=CATEGORIES[(number + 3) % 24]))
            case "moved":
                facts.append(PostUncategorized(post_id=post_id, category_id=CATEGORIES[number % 24]))
                facts.append(PostCategorized(post_id=post_id, category_id=CATEGORIES[(number + 5) % 24]))
            case "unpublished":
                facts.append(PostUnpublished(post_id=post_id))
            case "archived":
                facts.append(PostArchived(post_id=post_id))
        if change in {"published", "corrected"}:
            backdated = self._chance.randrange(30) * _DAY if self._chance.random() < 0.03 else 0
            published = PostPublished(
                post_id=post_id,
                revision=self._revisions[number],
                published_at=self._dates.setdefault(number, at - backdated),
                correction=self._text(12) if change == "corrected" and self._chance.random() < 0.2 else None,
            )
            facts.append(published)
        return [(POSTS.stream(post_id), fact) for fact in facts]

    def _command(self, at: int, facts: Sequence[tuple[str, Event]]) -> Iterator[StoredEvent]:
        """Yield the events of one command. One in four commands has an idempotency key and so an unordered id."""
        first = self._position + 1
        command_id = uuid8("command", first) if first % 4 == 0 else uuid7(at, uuid8(first).encode())
        for index, (stream, fact) in enumerate(facts):
            self._position += 1
            self._versions[stream] = version = self._versions.get(stream, 0) + 1
            name, schema_version = self._codec.name_of(fact)
            event = NewEvent(
                event_id=uuid8(command_id, index),
                type=name,
                schema_version=schema_version,
                recorded_at=at,
                actor_id=OPERATOR.id,
                command_id=command_id,
                correlation_id=command_id,
                payload=self._codec.encode(
                    fact, salt=self._position.to_bytes(32, "big"), fingerprint=f"{first:064x}"
                ),
            )
            header = event.header(
                publication=PUBLICATION, position=self._position, stream=stream, stream_version=version
            )
            yield StoredEvent(header, event.payload)

    def _text(self, words: int) -> str:
        return " ".join(self._chance.choices(WORDS, k=words))
