"""Erase everything of a post or of a person: withdraw the payload of every event of theirs, in one run.

An interrupted run can be repeated: payloads that are already withdrawn are only finished.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.eventlog.clock_randomness_ids import SystemRandomness
from ledgerpress.eventlog.envelope import StoredEvent, plaintext
from ledgerpress.eventlog.errors import UndecodableEvent
from ledgerpress.eventlog.event_and_withdrawn_event import remaining_event
from ledgerpress.eventlog.log import EventLog
from ledgerpress.feature import FeatureSet
from ledgerpress.features.actors.model import ACTORS, RESERVED
from ledgerpress.features.authors.model import AUTHORS
from ledgerpress.features.posts.model import POSTS
from ledgerpress.features.registry import FEATURES
from ledgerpress.features.slugs.model import SLUGS, SlugClaimed, SlugReleased
from ledgerpress.features.tokens import projector_and_queries as tokens
from ledgerpress.features.tokens.model import TOKENS
from ledgerpress.operator import Confirm, Progress
from ledgerpress.operator.erasure_in_copies import CopyErasure, count_in_copy, erase_in_copy
from ledgerpress.operator.history import NotFound, found_post, id_of
from ledgerpress.operator.withdraw import checked_reason, erase_in_views, withdraw_payload
from ledgerpress.server.log_url import LOCAL, LogUrl
from ledgerpress.server.store import Store, open_store

_WINDOW: Final = 16
"""Events that are read at a time to find the other events of a command; so few are always read completely."""


VIEWS_TIMEOUT: Final = 5.0
"""Seconds to wait until the views reach the head of the log after a confirmation."""


class Kind(StrEnum):
    """What is erased: a post, or a person, who is an author or an actor."""

    POST = "post"
    PERSON = "person"


class ErasedEvent(NamedTuple):
    """An event whose payload is erased. `texts` are the names of the parts of the payload that contain text."""

    position: int
    type: str
    recorded_at: int
    texts: tuple[str, ...]
    is_withdrawn: bool


class Erasure(NamedTuple):
    """What an erasure concerns: the id, the events, and the consequences as sentences.

    `copies` has the number of payloads that each further place still contains, by place.
    """

    id: str
    events: Sequence[ErasedEvent]
    consequences: Sequence[str]
    copies: Sequence[tuple[str, int]] = ()


class Erased(NamedTuple):
    """The result of an erasure: the number of events, the position of the last record, and the results in copies."""

    id: str
    events: int
    record: int
    copies: Sequence[CopyErasure]


class _Target(NamedTuple):
    id: str
    events: Sequence[StoredEvent]
    consequences: Sequence[str]


async def preview_erasure(
    data: Path,
    kind: Kind,
    name: str,
    reason: str,
    *,
    also: Sequence[LogUrl] = (),
    log: str = LOCAL,
    features: FeatureSet = FEATURES,
    progress: Progress | None = None,
) -> Erasure:
    """Return what `erase` would erase, and change nothing. Raises the errors that `erase` raises at its start."""
    checked_reason(CommandRequest(reason=reason))
    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        return await _preview(store, data, await _find(store, kind, name), also)


async def _preview(store: Store, data: Path, target: _Target, also: Sequence[LogUrl]) -> Erasure:
    copies = [await count_in_copy(url, data, store.log.publication, target.events) for url in also]
    events = [_described(store, event) for event in target.events]
    return Erasure(target.id, events, target.consequences, copies)


async def erase(
    data: Path,
    kind: Kind,
    name: str,
    reason: str,
    *,
    also: Sequence[LogUrl] = (),
    log: str = LOCAL,
    features: FeatureSet = FEATURES,
    progress: Progress | None = None,
    confirm: Confirm[Erasure] | None = None,
) -> Erased:
    """Withdraw the payload of every event of a post or a person, from the log, all views, and the copies `also`.

    What was recorded while `confirm` waited is erased, too.

    Raises `LogUnusable`, `NotFound`, `Rejection`, `WithdrawalUnfinished`, and `EventLogError` if a copy is invalid.
    """
    checked_reason(CommandRequest(reason=reason))
    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        target = await _find(store, kind, name)
        if confirm is not None:
            await confirm(await _preview(store, data, target, also))
            await store.views.wait_for(await store.log.head(), VIEWS_TIMEOUT)
            target = await _find(store, kind, name)
        for url in also:  # before anything is erased
            await count_in_copy(url, data, store.log.publication, target.events)
        record = 0
        # A slug leads to its post until its last event is erased, so that a repeated run finds the post.
        for done, event in enumerate(
            sorted(target.events, key=lambda event: (_has_slug(event), event.position))
        ):
            request = CommandRequest(reason=reason)
            position = await withdraw_payload(
                store.log, store.codec, store.clock, SystemRandomness(), event.position, request
            )
            record = max(record, position)
            if progress:
                progress(done + 1, len(target.events))
        await erase_in_views(store, data, record)
        erased = [(await store.log.read(event.position - 1, 1))[0] for event in target.events]
        copies = [await erase_in_copy(url, data, store.log.publication, erased, store.codec) for url in also]
        return Erased(target.id, len(erased), record, copies)


async def _find(store: Store, kind: Kind, name: str) -> _Target:
    """Return the events of the post or the person. Raises `NotFound`, and `Rejection` for a reserved actor."""
    return await (_find_post if kind is Kind.POST else _find_person)(store, name)


async def _find_post(store: Store, name: str) -> _Target:
    with store.snapshot() as snapshot:
        post = found_post(snapshot, name)
    if post is None:
        raise NotFound(f"no post has or had the slug or the id “{name}”; an erased post has only its id")
    prefixes = [prefix for prefix in store.features.stream_prefixes if prefix.startswith("x.")]
    events: dict[int, StoredEvent] = {}
    for stream in (POSTS.stream(post.id), *(f"{prefix}.{post.id}" for prefix in prefixes)):
        for event in await store.log.read_stream(stream):
            events[event.position] = event
    events |= {event.position: event for event in await _slug_events(store, events.values(), post.id)}
    effect = (
        "Readers and editors see the post without slug, title, teaser, body, corrections and reasons, at every point "
        f"in time. Its address is /articles/{post.id}. Its place in lists, its dates, categories and authors remain."
    )
    limit = "Not found, so not erased: copies of its text in other posts, and posts that link to it."
    return _Target(post.id, [events[position] for position in sorted(events)], (effect, limit))


async def _find_person(store: Store, name: str) -> _Target:
    person_id = id_of(name, "Author", "Actor")
    events: list[StoredEvent] = []
    if person_id is not None:
        if person_id in {actor.id for actor in RESERVED}:
            raise Rejection(
                ErrorCode.INVALID_VALUE, "An actor of LedgerPress itself cannot be erased.", field=("id",)
            )
        for category in (AUTHORS, ACTORS):
            events += await store.log.read_stream(category.stream(person_id))
        events += await _slug_events(store, events, person_id)
    if person_id is None or not events:
        raise NotFound(f"no author or actor has the id “{name}”")
    effect = (
        "Readers and editors see an empty name for this person, in bylines and in the history, at all times. An author "
        "has no page and no feed until the author gets a new name."
    )
    limit = (
        "Not found, so not erased: mentions of the person in posts, categories, corrections and reasons, and slugs and "
        "names of other objects. Withdraw these events one by one, or erase the posts."
    )
    consequences = [effect, limit]
    with store.snapshot() as snapshot:
        of_actor = tokens.of_actor(snapshot, person_id)
    for token in of_actor:
        is_expired = token.expires_at is not None and token.expires_at <= store.clock.now()
        if token.revoked_at is not None or is_expired:
            events += await store.log.read_stream(TOKENS.stream(token.id))
        elif token.secret_hash is not None:
            consequences.append(
                f"The token {token.id} of this person still works, so its name is not erased: revoke it, then repeat."
            )
    return _Target(person_id, sorted(events, key=lambda event: event.position), consequences)


async def _slug_events(store: Store, events: Iterable[StoredEvent], owner_id: str) -> list[StoredEvent]:
    """Return the events by which the commands of `events` gave slugs to their owner, or took them."""
    return [
        other
        for event in {event.header.command_id: event for event in events}.values()
        for other in await _command_of(store.log, event)
        if other.header.stream.startswith(f"{SLUGS.prefix}.") and _owner(store, other) == owner_id
    ]


async def _command_of(log: EventLog, event: StoredEvent) -> list[StoredEvent]:
    """Return all events of the command that recorded `event`: they follow one another in the log."""

    def is_same(other: StoredEvent) -> bool:
        return other.header.command_id == event.header.command_id

    events, first = [event], event.position
    while first > 1:
        after = max(first - 1 - _WINDOW, 0)
        batch = await log.read(after, first - 1 - after)
        before = list(takewhile(is_same, reversed(batch)))
        events, first = [*reversed(before), *events], first - len(before)
        if len(before) < len(batch):
            break
    while batch := await log.read(events[-1].position, _WINDOW):
        behind = list(takewhile(is_same, batch))
        events += behind
        if len(behind) < len(batch):
            break
    return events


def _owner(store: Store, event: StoredEvent) -> str | None:
    """Return the id of the object to which an event of a slug gives or takes it; `None` if that is unknown."""
    try:
        decoded = remaining_event(store.codec.decode(event).event)
    except UndecodableEvent:
        return None
    return decoded.owner_id if isinstance(decoded, SlugClaimed | SlugReleased) else None


def _has_slug(event: StoredEvent) -> bool:
    data = (plaintext(event) or {}).get("data")
    return event.header.stream.startswith(f"{POSTS.prefix}.") and isinstance(data, dict) and "slug" in data


def _described(store: Store, event: StoredEvent) -> ErasedEvent:
    header, texts = event.header, list[str]()
    payload = plaintext(event)
    if payload is not None:
        try:
            remainder = store.codec.remainder(store.codec.decode(event).event)
        except UndecodableEvent:
            remainder = None
        texts += remainder.erased if remainder else ["data"]
        texts += ["reason"] if payload.get("reason") else []
    return ErasedEvent(
        header.position, header.type, header.recorded_at, tuple(texts), is_withdrawn=event.payload is None
    )
