"""The commands that register authors, and change their names and slugs."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext, Facts
from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan, PlannedWrite
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.features.actors.permissions import WRITE_PEOPLE
from ledgerpress.features.authors.author_rows import PROJECTION
from ledgerpress.features.authors.model import AUTHORS, Author, AuthorRegistered, AuthorRenamed
from ledgerpress.features.authors.projector_and_queries import last_slug, owner_of_slug
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.claim_and_release_writes import claim_derived_slug, claim_slug
from ledgerpress.features.slugs.model import SlugKind


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorFacts(Facts):
    """The facts for a command on an author. `slug` is the slug that the author gets, `UNSET` if it does not change."""

    slug: str | UnsetType = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAuthor:
    """Add an author. Without a slug, one is derived from the name."""

    fingerprint_name: ClassVar[str] = "RegisterAuthor"

    name: str
    slug: str | None = None

    @property
    def lock_key(self) -> str | None:
        """The name, so that authors registered concurrently with the same derived slug do not conflict, as a rule."""
        return None if self.slug is not None else f"author name.{self.name}"

    def decide(self, author: Author | None, facts: AuthorFacts) -> tuple[AuthorRegistered, ...]:
        """Return the registration, or nothing if the author exists. Raises `Rejection` for an invalid name."""
        name = text_rules.line(self.name, field="name", limit=text_rules.MAX_NAME)
        if author or facts.slug is UNSET:
            return ()
        return (AuthorRegistered(author_id=facts.new_id, name=name, slug=facts.slug),)

    async def plan(self, context: CommandContext) -> AppendPlan:
        context.check_version(NO_STREAM)
        author_id = context.new_id("author")
        slug, claim = await _claim(context, self.slug, self.name, author_id)
        events = self.decide(None, AuthorFacts(new_id=author_id, slug=slug))
        return AppendPlan.of(author_id, PlannedWrite(AUTHORS.stream(author_id), NO_STREAM, events), claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameAuthor:
    """Change the name, the slug or both of an author. The old slug still leads to the author.

    With `None`, the slug is derived again, from the new name.
    """

    fingerprint_name: ClassVar[str] = "RenameAuthor"

    author_id: str
    name: str | UnsetType = UNSET
    slug: str | UnsetType | None = UNSET

    @property
    def lock_key(self) -> str | None:
        return AUTHORS.stream(self.author_id)

    def decide(self, author: Author | None, facts: AuthorFacts) -> tuple[AuthorRenamed, ...]:
        """Return the event, or nothing if name and slug are unchanged. Raises `Rejection` for an invalid name."""
        name = self.name
        if name is not UNSET:
            name = text_rules.line(name, field="name", limit=text_rules.MAX_NAME)
        if author is None:
            return ()
        if name == author.name:
            name = UNSET
        if name is UNSET and facts.slug is UNSET:
            return ()
        return (AuthorRenamed(author_id=author.id, name=name, slug=facts.slug),)

    async def plan(self, context: CommandContext) -> AppendPlan:
        author = await context.load_existing(AUTHORS, self.author_id, "author")
        state = author.state
        if self.slug is UNSET:
            return AppendPlan.of(state.id, author.write(self.decide(state, AuthorFacts())))
        current = state.slug or await context.query(
            PROJECTION, partial(last_slug, author_id=state.id), is_settled=True
        )
        name = state.name if self.name is UNSET else self.name
        if self.slug is not None and slugs.normalized(self.slug) == current:
            return AppendPlan.of(state.id, author.write(self.decide(state, AuthorFacts())))
        slug, claim = await _claim(context, self.slug, name, state.id)
        facts = AuthorFacts(slug=UNSET if slug == current else slug)
        return AppendPlan.of(state.id, author.write(self.decide(state, facts)), claim)


async def _claim(
    context: CommandContext, slug: str | None, name: str, author_id: str
) -> tuple[str, PlannedWrite]:
    """Return a slug of an author, derived from the name if `slug` is `None`, and the write that claims it.

    The authors of earlier logs have slugs that no event claims. These are read from the views. Since no command records
    such authors any more, the views cannot be behind in this.
    """

    async def unclaimed_owner(slug: str) -> str | None:
        return await context.query(PROJECTION, partial(owner_of_slug, slug=slug), is_settled=True)

    if slug is None:
        return await claim_derived_slug(
            context, SlugKind.AUTHOR, name, owner_id=author_id, unclaimed_owner=unclaimed_owner
        )
    slug = slugs.checked(slug)
    claim = await claim_slug(
        context, SlugKind.AUTHOR, slug, owner_id=author_id, unclaimed_owner=unclaimed_owner
    )
    return slug, claim


COMMANDS: Final = commands(RequiredPermission(WRITE_PEOPLE), RegisterAuthor, RenameAuthor)
