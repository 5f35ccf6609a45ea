"""The names of streams, and their states: loaded by folding their events."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from ledgerpress.eventlog.codec import Codec
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.log import EventLog
from ledgerpress.features.actors import model as actors
from ledgerpress.features.authors import model as authors
from ledgerpress.features.categories import model as categories
from ledgerpress.features.posts import model as posts
from ledgerpress.features.site import model as publication
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.tokens import model as tokens
from ledgerpress.views.projection import skips as projections

S = TypeVar("S")

LOG_STREAM: Final = "log"
SITE_STREAM: Final = "site"
TAXONOMY_STREAM: Final = "taxonomy"


def post_stream(post_id: str) -> str:
    """Return the name of a post's stream."""
    return f"post.{post_id}"


def author_stream(author_id: str) -> str:
    """Return the name of an author's stream."""
    return f"author.{author_id}"


def actor_stream(actor_id: str) -> str:
    """Return the name of an actor's stream."""
    return f"actor.{actor_id}"


def token_stream(token_id: str) -> str:
    """Return the name of an API token's stream."""
    return f"token.{token_id}"


def withdrawal_stream(event_id: str) -> str:
    """Return the name of the stream that says that an event's payload was withdrawn."""
    return f"withdrawal.{event_id}"


class LoadedState(NamedTuple):
    """A stream's state, the version at which it is that, and the id of the actor who began it."""

    version: int
    state: Any
    begun_by: str | None


class StateLoader:
    """Loads the states of streams. A bounded number is kept, and read on from where it was left."""

    def __init__(self, log: EventLog, codec: Codec[Event], *, kept: int = 1_024) -> None:
        """Take the log. `kept` bounds the number of states in memory."""
        self._log = log
        self._codec = codec
        self._kept = kept
        self._states: OrderedDict[str, LoadedState] = OrderedDict()
        self._forgotten = 0

    def forget(self) -> None:
        """Keep no state that was folded before now: a payload in it may have been withdrawn."""
        self._states.clear()
        self._forgotten += 1

    async def post(self, post_id: str) -> tuple[int, posts.Post | None]:
        """Return a post with its version, and 0 and `None` where there is none."""
        return await self._load(post_stream(post_id), None, posts.evolve)

    async def post_creator(self, post_id: str) -> str | None:
        """Return the id of the actor who wrote a post, `None` where there is none."""
        return (await self._loaded(post_stream(post_id), None, posts.evolve)).begun_by

    async def post_events(self, post_id: str) -> list[Event]:
        """Return everything that ever happened to a post, in order: the event of version 1 first."""
        stored = await self._log.read_stream(post_stream(post_id))
        return [recorded.event for recorded in self._codec.decode_all(stored)]

    async def author(self, author_id: str) -> tuple[int, authors.Author | None]:
        """Return an author with the version, and 0 and `None` where there is none."""
        return await self._load(author_stream(author_id), None, authors.evolve)

    async def actor(self, actor_id: str) -> tuple[int, actors.Actor | None]:
        """Return an actor with the version, and 0 and `None` where there is none."""
        return await self._load(actor_stream(actor_id), None, actors.evolve)

    async def token(self, token_id: str) -> tuple[int, tokens.Token | None]:
        """Return an API token with the version, and 0 and `None` where there is none."""
        return await self._load(token_stream(token_id), None, tokens.evolve)

    async def taxonomy(self) -> tuple[int, categories.Taxonomy]:
        """Return the category tree with its version."""
        return await self._load(TAXONOMY_STREAM, categories.Taxonomy(), categories.evolve)

    async def site(self) -> tuple[int, publication.Site]:
        """Return the site with its version."""
        return await self._load(SITE_STREAM, publication.Site(), publication.evolve)

    async def skips(self, projection: str) -> tuple[int, projections.Skips]:
        """Return which events a projection may do without, with the version of the stream that says so."""
        return await self._load(projections.stream_name(projection), projections.Skips(), projections.evolve)

    async def slug(self, stream: str) -> tuple[int, slugs.Slug]:
        """Return who has a slug, by the name of its stream, with the version."""
        return await self._load(stream, slugs.Slug(), slugs.evolve)

    async def _load(self, stream: str, initial: S, evolve: Callable[[S, Any], S]) -> tuple[int, S]:
        version, state, _ = await self._loaded(stream, initial, evolve)
        return version, state

    async def _loaded(self, stream: str, initial: S, evolve: Callable[[S, Any], S]) -> LoadedState:
        forgotten, kept = self._forgotten, self._states.pop(stream, None)
        version, state, begun_by = kept or LoadedState(0, initial, None)
        for recorded in self._codec.decode_all(await self._log.read_stream(stream, version)):
            version, state = recorded.header.stream_version, evolve(state, recorded.event)
            begun_by = begun_by or recorded.header.actor_id
        loaded = LoadedState(version, state, begun_by)
        if version and forgotten == self._forgotten:
            self._states[stream] = loaded
            while len(self._states) > self._kept:
                self._states.popitem(last=False)
        return loaded
