"""What can be done with authors, actors and the site."""

from dataclasses import dataclass
from typing import ClassVar

from ledgerpress.commands.command_context import AppendPlan, CommandContext, PlannedWrite
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.state_loader import SITE_STREAM, actor_stream, author_stream
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.features.actors import model as actors
from ledgerpress.features.actors.model import ActorKind
from ledgerpress.features.authors import model as authors
from ledgerpress.features.site import model as publication


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAuthor:
    """Make an author known."""

    fingerprint_name: ClassVar[str] = "RegisterAuthor"

    name: str

    queue = None

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejection`."""
        desk.check_version(NO_STREAM)
        author_id = desk.new_id("author")
        events = authors.decide(authors.RegisterAuthor(author_id=author_id, name=self.name), None)
        return AppendPlan.of(author_id, PlannedWrite(author_stream(author_id), NO_STREAM, events))


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

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejection`."""
        version, author = await desk.streams.author(self.author_id)
        if author is None:
            raise Rejection(ErrorCode.NOT_FOUND, "There is no such author.", field=("id",))
        desk.check_version(version)
        events = authors.decide(authors.RenameAuthor(name=self.name), author)
        return AppendPlan.of(author.id, PlannedWrite(author_stream(author.id), version, events))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterActor:
    """Make an actor known."""

    fingerprint_name: ClassVar[str] = "RegisterActor"

    name: str
    kind: ActorKind = ActorKind.HUMAN

    queue = None

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejection`."""
        desk.check_version(NO_STREAM)
        actor_id = desk.new_id("actor")
        events = actors.decide(actors.RegisterActor(actor_id=actor_id, kind=self.kind, name=self.name), None)
        return AppendPlan.of(actor_id, PlannedWrite(actor_stream(actor_id), NO_STREAM, events))


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

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejection`."""
        version, actor = await desk.streams.actor(self.actor_id)
        if actor is None:
            raise Rejection(ErrorCode.NOT_FOUND, "There is no such actor.", field=("id",))
        desk.check_version(version)
        events = actors.decide(actors.RenameActor(name=self.name), actor)
        return AppendPlan.of(actor.id, PlannedWrite(actor_stream(actor.id), version, events))


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSite:
    """Name the site."""

    fingerprint_name: ClassVar[str] = "NameSite"

    name: str

    queue = SITE_STREAM

    async def plan(self, desk: CommandContext) -> AppendPlan:
        """Return what to record. Raises `Rejection`."""
        version, site = await desk.streams.site()
        desk.check_version(version)
        events = publication.decide(publication.NameSite(name=self.name), site)
        return AppendPlan.of("site", PlannedWrite(SITE_STREAM, version, events))
