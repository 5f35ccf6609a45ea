"""What can be done with authors, actors and the site."""

from dataclasses import dataclass
from typing import ClassVar

from ledgerpress.application.desk import Desk, Plan, PlannedWrite
from ledgerpress.application.streams import SITE_STREAM, actor_stream, author_stream
from ledgerpress.domain import actors, authors, publication
from ledgerpress.domain.actors import ActorKind
from ledgerpress.domain.rejection import ErrorCode, Rejected
from ledgerpress.eventlog.log import NO_STREAM


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAuthor:
    """Make an author known."""

    fingerprint_name: ClassVar[str] = "RegisterAuthor"

    name: str

    queue = None

    async def plan(self, desk: Desk) -> Plan:
        """Return what to record. Raises `Rejected`."""
        desk.check_version(NO_STREAM)
        author_id = desk.new_id("author")
        events = authors.decide(authors.RegisterAuthor(author_id=author_id, name=self.name), None)
        return Plan.of(author_id, PlannedWrite(author_stream(author_id), NO_STREAM, events))


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameAuthor:
    """Give an author another name."""

    fingerprint_name: ClassVar[str] = "RenameAuthor"

    author_id: str
    name: str

    @property
    def queue(self) -> str | None:
        """The author's stream."""
        return author_stream(self.author_id)

    async def plan(self, desk: Desk) -> Plan:
        """Return what to record. Raises `Rejected`."""
        version, author = await desk.streams.author(self.author_id)
        if author is None:
            raise Rejected(ErrorCode.NOT_FOUND, "There is no such author.", field=("id",))
        desk.check_version(version)
        events = authors.decide(authors.RenameAuthor(name=self.name), author)
        return Plan.of(author.id, PlannedWrite(author_stream(author.id), version, events))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterActor:
    """Make an actor known."""

    fingerprint_name: ClassVar[str] = "RegisterActor"

    name: str
    kind: ActorKind = ActorKind.HUMAN

    queue = None

    async def plan(self, desk: Desk) -> Plan:
        """Return what to record. Raises `Rejected`."""
        desk.check_version(NO_STREAM)
        actor_id = desk.new_id("actor")
        events = actors.decide(actors.RegisterActor(actor_id=actor_id, kind=self.kind, name=self.name), None)
        return Plan.of(actor_id, PlannedWrite(actor_stream(actor_id), NO_STREAM, events))


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameActor:
    """Give an actor another name."""

    fingerprint_name: ClassVar[str] = "RenameActor"

    actor_id: str
    name: str

    @property
    def queue(self) -> str | None:
        """The actor's stream."""
        return actor_stream(self.actor_id)

    async def plan(self, desk: Desk) -> Plan:
        """Return what to record. Raises `Rejected`."""
        version, actor = await desk.streams.actor(self.actor_id)
        if actor is None:
            raise Rejected(ErrorCode.NOT_FOUND, "There is no such actor.", field=("id",))
        desk.check_version(version)
        events = actors.decide(actors.RenameActor(name=self.name), actor)
        return Plan.of(actor.id, PlannedWrite(actor_stream(actor.id), version, events))


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSite:
    """Name the site."""

    fingerprint_name: ClassVar[str] = "NameSite"

    name: str

    queue = SITE_STREAM

    async def plan(self, desk: Desk) -> Plan:
        """Return what to record. Raises `Rejected`."""
        version, site = await desk.streams.site()
        desk.check_version(version)
        events = publication.decide(publication.NameSite(name=self.name), site)
        return Plan.of("site", PlannedWrite(SITE_STREAM, version, events))
