"""The commands that create, edit, publish and unpublish site pages."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from ledgerpress.commands import text_rules
from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext, Facts
from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.commands.streams_and_append_plan import AppendPlan, PlannedWrite
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.eventlog.log import NO_STREAM
from ledgerpress.features.site import WRITE_SITE
from ledgerpress.features.site_pages import model
from ledgerpress.features.site_pages.model import PAGES, Page, PageStatus
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.claim_and_release_writes import claim_derived_slug, claim_slug, release_slug
from ledgerpress.features.slugs.model import SlugKind


def publication(page: Page) -> tuple[Event, ...]:
    """Return the publication of a page, or nothing if readers would see no change."""
    status, has_changes = page.lifecycle
    if status is PageStatus.PUBLISHED and not has_changes:
        return ()
    return (model.PagePublished(page_id=page.id),)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePage:
    """Create a page. Without a slug, one is derived from the title."""

    fingerprint_name: ClassVar[str] = "CreatePage"

    title: str
    body: str = ""
    slug: str | None = None
    publish: bool = False

    lock_key = None

    def decide(self, page: None, *, new_id: str, slug: str) -> tuple[Event, ...]:
        """Return the events of the new page. Raises `Rejection`."""
        created = model.PageCreated(
            page_id=new_id, slug=slug, title=_title(self.title), body=text_rules.body(self.body)
        )
        after = model.evolve(page, created)
        return (created, *publication(after)) if self.publish and after else (created,)

    async def plan(self, context: CommandContext) -> AppendPlan:
        page_id = context.new_id("page")
        context.check_version(NO_STREAM)
        if self.slug is None:
            slug, claim = await claim_derived_slug(context, SlugKind.PAGE, self.title, owner_id=page_id)
        else:
            slug = slugs.checked(self.slug)
            claim = await claim_slug(context, SlugKind.PAGE, slug, owner_id=page_id)
        events = self.decide(None, new_id=page_id, slug=slug)
        return AppendPlan.of(page_id, PlannedWrite(PAGES.stream(page_id), NO_STREAM, events), claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts(Facts):
    """The new slug of a page, if it gets one, and the writes that claim it and release the old one."""

    slug: str | None = None
    slug_writes: Sequence[PlannedWrite] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCommand(ABC):
    """A command on an existing page."""

    page_id: str

    @property
    def lock_key(self) -> str | None:
        return PAGES.stream(self.page_id)

    @abstractmethod
    def decide(self, page: Page, facts: PageFacts) -> tuple[Event, ...]:
        """Return the events; none if there is nothing to do. Raises `Rejection`."""

    async def plan(self, context: CommandContext) -> AppendPlan:
        page = await context.load_existing(PAGES, self.page_id, "page")
        facts = await self.facts(context, page.state)
        return AppendPlan.of(page.state.id, page.write(self.decide(page.state, facts)), *facts.slug_writes)

    async def facts(self, context: CommandContext, page: Page) -> PageFacts:
        """Load the facts that `decide` needs. Raises `Rejection`."""
        return PageFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPage(PageCommand):
    """Edit the draft of a page. `UNSET` means unchanged. With `publish`, also publish the result.

    Until the page is published, a slug that was derived from the title follows it: readers would otherwise learn the
    title of a draft from the address.
    """

    fingerprint_name: ClassVar[str] = "EditPage"

    title: str | UnsetType = UNSET
    body: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    publish: bool = False

    def decide(self, page: Page, facts: PageFacts) -> tuple[Event, ...]:
        """Return the edit if it changes anything, and with `publish` the publication. Raises `Rejection`."""
        title = UNSET if self.title is UNSET else _title(self.title)
        body = UNSET if self.body is UNSET else text_rules.body(self.body)
        edited = model.PageEdited(
            page_id=page.id,
            title=UNSET if title == page.title else title,
            body=UNSET if body == page.body else body,
            slug=UNSET if facts.slug in {None, page.slug} else facts.slug or "",
        )
        events: tuple[Event, ...] = () if edited == model.PageEdited(page_id=page.id) else (edited,)
        after = model.evolve(page, edited) if events else page
        return (*events, *publication(after)) if self.publish and after else events

    async def facts(self, context: CommandContext, page: Page) -> PageFacts:
        """Claim the new slug, and release the old one unless readers have seen it. Raises `Rejection`."""
        if self.slug is not UNSET:
            slug = slugs.normalized(self.slug)
            if slug == page.slug:
                return PageFacts()
            claim = await claim_slug(context, SlugKind.PAGE, slugs.checked(slug), owner_id=page.id)
        elif self.title is not UNSET and not page.published_slugs and _is_derived(page.slug, page.title):
            if _is_derived(page.slug, self.title):
                return PageFacts()
            slug, claim = await claim_derived_slug(context, SlugKind.PAGE, self.title, owner_id=page.id)
        else:
            return PageFacts()
        writes = [claim]
        if page.slug != slug and page.slug not in page.published_slugs:
            writes.append(await release_slug(context, SlugKind.PAGE, page.slug, owner_id=page.id))
        return PageFacts(slug=slug, slug_writes=writes)


def _is_derived(slug: str, title: str) -> bool:
    return slugs.is_derived(slug, title, fallback=SlugKind.PAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPage(PageCommand):
    """Publish the draft of a page, for the first time or again."""

    fingerprint_name: ClassVar[str] = "PublishPage"

    def decide(self, page: Page, facts: PageFacts) -> tuple[Event, ...]:
        """Return the publication, or nothing if readers would see no change."""
        return publication(page)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpublishPage(PageCommand):
    """Remove a page from public view."""

    fingerprint_name: ClassVar[str] = "UnpublishPage"

    def decide(self, page: Page, facts: PageFacts) -> tuple[Event, ...]:
        """Return the event, or nothing if the page is not public."""
        is_public = page.lifecycle.status is PageStatus.PUBLISHED
        return (model.PageUnpublished(page_id=page.id),) if is_public else ()


def _title(title: str) -> str:
    return text_rules.line(title, field="title", limit=text_rules.MAX_TITLE)


COMMANDS: Final = commands(RequiredPermission(WRITE_SITE), CreatePage, EditPage, PublishPage, UnpublishPage)
