"""What a use case works with while it plans: the time, ids, streams, and facts from the views."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from ledgerpress.commands.errors import ErrorCode, Rejection, version_conflict
from ledgerpress.commands.state_loader import StateLoader
from ledgerpress.eventlog.event import Event
from ledgerpress.eventlog.ids import uuid8
from ledgerpress.features.categories.model import Category, Taxonomy
from ledgerpress.features.posts.model import Post
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.model import SlugKind


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """Events for one stream, and the version at which it was loaded."""

    stream: str
    expected: int
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class AppendPlan:
    """What a use case wants recorded, all or nothing. Without writes there is nothing to do."""

    subject_id: str
    writes: tuple[PlannedWrite, ...] = ()

    @staticmethod
    def of(subject_id: str, *writes: PlannedWrite) -> "AppendPlan":
        """Return the plan of those `writes` that have events."""
        return AppendPlan(subject_id, tuple(write for write in writes if write.events))


@dataclass(frozen=True, slots=True)
class PreviousResult:
    """A command that has been carried out."""

    fingerprint: str | None
    subject_id: str
    last_position: int


class CommandViews(Protocol):
    """What commands need of the views. None of it guards a rule: streams do."""

    async def wait_for(self, position: int, timeout: float, names: Sequence[str] = ()) -> bool:
        """Wait until the named projections, or all, have reached `position`; return whether they have.

        `timeout` is in seconds.
        """
        ...

    def carried(self, command_id: str) -> PreviousResult | None:
        """Return the command with that id, if it has been carried out."""
        ...

    def category_in_use(self, category_ids: frozenset[str]) -> bool:
        """Return whether any post is in one of the categories."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRef:
    """Names a category, by id or by slug."""

    id: str | None = None
    slug: str | None = None


def post_not_found() -> Rejection:
    """Return the refusal of a command on a post that there is not, or that is not the caller's to know of."""
    return Rejection(ErrorCode.NOT_FOUND, "There is no such post.", field=("id",))


class CommandContext:
    """One attempt at one command. `now` is in microseconds since 1970, UTC.

    `catch_up` waits until the projection that it is given has reached the head of the log, and raises `Rejection`
    when that takes too long.
    """

    def __init__(
        self,
        *,
        streams: StateLoader,
        views: CommandViews,
        name_key: bytes,
        command_id: str,
        expected_version: int | None,
        now: int,
        catch_up: Callable[[str], Awaitable[None]],
    ) -> None:
        self.streams = streams
        self.now = now
        self.expected_version = expected_version
        self._name_key = name_key
        self._command_id = command_id
        self._views = views
        self._catch_up = catch_up

    def new_id(self, kind: str) -> str:
        """Return the id of what this command creates: the same whenever the command is repeated."""
        return uuid8(self._command_id, kind)

    def check_version(self, current: int) -> None:
        """Raise `Rejection` where the caller expects another version than the current one."""
        if self.expected_version is not None and self.expected_version != current:
            raise version_conflict(expected=self.expected_version, current=current)

    async def post(self, post_id: str) -> tuple[int, Post]:
        """Return a post and its version. Raises `Rejection` where it is unknown, or not as the caller expects."""
        version, post = await self.streams.post(post_id)
        if post is None:
            raise post_not_found()
        self.check_version(version)
        return version, post

    async def check_authors(self, author_ids: Sequence[str]) -> None:
        """Raise `Rejection` where an author is unknown."""
        for author_id in author_ids:
            _, author = await self.streams.author(author_id)
            if author is None:
                raise Rejection(ErrorCode.NOT_FOUND, "There is no such author.", field=("authors",))

    def category(self, taxonomy: Taxonomy, ref: CategoryRef, *, field: str) -> Category:
        """Return the category that `ref` names. Raises `Rejection` where there is none."""
        found = taxonomy.by_slug(ref.slug or "") if ref.id is None else taxonomy.resolve(ref.id)
        if found is None:
            named = f" “{ref.slug}”" if ref.slug else ""
            raise Rejection(ErrorCode.NOT_FOUND, f"There is no such category{named}.", field=(field,))
        return found

    async def category_in_use(self, taxonomy: Taxonomy, category: Category) -> bool:
        """Return whether any post is in the category, as far as the listings know. Raises `Rejection`."""
        await self._catch_up("listings")
        return self._views.category_in_use(taxonomy.equivalents(category.id))

    async def claim_slug(
        self, kind: SlugKind, slug: str | None, *, derived_from: str, owner_id: str
    ) -> tuple[str, PlannedWrite]:
        """Return the slug to use and the write that claims it.

        A slug that the caller gives is taken as it is, or refused; one derived from a title goes on to -2, -3 …
        until one is free.
        """
        if slug is not None:
            return slug, await self._claim(kind, slugs.checked(slug), owner_id)
        base = slugs.derive(derived_from, fallback=kind.value)
        for number in count(1):
            candidate = slugs.numbered(base, number)
            try:
                return candidate, await self._claim(kind, candidate, owner_id)
            except Rejection as taken:
                if taken.code is not ErrorCode.SLUG_TAKEN:
                    raise
        raise AssertionError("unreachable")

    async def change_slug(self, post: Post, slug: str) -> tuple[PlannedWrite, ...]:
        """Return the writes by which a post goes from its slug to another. Raises `Rejection` where that is taken."""
        old = post.content.slug
        if slug == old:
            return ()
        _, claim = await self.claim_slug(SlugKind.POST, slug, derived_from="", owner_id=post.id)
        if old in post.published_slugs:
            return (claim,)
        return claim, await self.release_slug(SlugKind.POST, old, owner_id=post.id)

    async def release_slug(self, kind: SlugKind, slug: str, *, owner_id: str) -> PlannedWrite:
        """Return the write that gives a slug back."""
        stream = slugs.stream_name(kind, slug, self._name_key)
        version, state = await self.streams.slug(stream)
        return PlannedWrite(stream, version, slugs.release(state, kind=kind, slug=slug, owner_id=owner_id))

    async def _claim(self, kind: SlugKind, slug: str, owner_id: str) -> PlannedWrite:
        stream = slugs.stream_name(kind, slug, self._name_key)
        version, state = await self.streams.slug(stream)
        return PlannedWrite(stream, version, slugs.claim(state, kind=kind, slug=slug, owner_id=owner_id))
