"""Generate commands of every kind, in any order: some are valid, some are rejected, some are repeated."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from random import Random
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.commands.streams_and_append_plan import AppendPlan
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.features.actors.commands import RegisterActor, RenameActor
from ledgerpress.features.actors.model import ActorKind
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.features.categories import commands as categories
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.categories.unmerge_command import UnmergeCategory
from ledgerpress.features.posts import (
    READ_POSTS,
    correction_commands,
    lifecycle_commands,
    restore_version_and_revert_change_commands,
)
from ledgerpress.features.posts import create_edit_categorize_commands as posts
from ledgerpress.features.posts.corrections.decisions import NewCorrection
from ledgerpress.features.posts.corrections.model import CorrectionKind
from ledgerpress.features.posts.model import POSTS, PostCategorized
from ledgerpress.features.site.commands import DescribeSite, LocalizeSite, NameSite
from ledgerpress.features.site.logo_rules import Logo
from ledgerpress.features.site_pages import page_commands
from ledgerpress.features.site_pages.menu_command import ArrangeMenu, NewMenuItem, PageRef
from ledgerpress.features.site_pages.menu_model import MenuPlace
from ledgerpress.features.tokens import commands as tokens

NOW: Final = 1_714_809_600_000_000
DAY: Final = 86_400_000_000
UNKNOWN: Final = uuid8("nobody knows it")

TITLES: Final = (
    "Tide mill", "Night market", "Night Market!", "रात का बाज़ार", "Über die Straße", "İstanbul’da gece", "🎈", "", "x" * 301
)  # fmt: skip
SLUGS: Final = (None, "tide-mill", "night-market", "a", "b", "tram", "Not A Slug", "x" * 101)
TEXTS: Final = ("", "One line.", "# Head\n\nText, *stressed*.\n", "नमस्ते 🌍", "Two.", "\u0000")
PASSAGES: Final = (None, None, "Tide mill", "Night", "One line.")
DATES: Final = (None, NOW - 10 * DAY, NOW - 20 * DAY, -400 * DAY, NOW + 90 * DAY)


class Expecting(StrEnum):
    """The expected version of a command: none, the current one, an older or a newer one."""

    ANY = "any"
    RIGHT = "right"
    STALE = "stale"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class CategorizeTooLate:
    """A command that adds a post to a category without checking that the category still exists.

    It has the effect of a post that is categorized while the category is being deleted.
    """

    post_id: str
    category_id: str

    fingerprint_name: ClassVar[str] = "CategorizeTooLate"
    lock_key = None

    async def plan(self, context: CommandContext) -> AppendPlan:
        """Return the event without checking the tree."""
        post = await context.load_existing(POSTS, self.post_id, "post")
        event = PostCategorized(post_id=post.state.id, category_id=self.category_id)
        return AppendPlan.of(post.state.id, post.write((event,)))


KINDS: Final = (
    posts.CreatePost, posts.EditPost, posts.CategorizePost, posts.UncategorizePost, lifecycle_commands.PublishPost,
    lifecycle_commands.UnpublishPost, lifecycle_commands.ArchivePost, lifecycle_commands.UnarchivePost, restore_version_and_revert_change_commands.RestorePost,
    restore_version_and_revert_change_commands.RevertPost, correction_commands.AddCorrection,
    correction_commands.RewordCorrection, correction_commands.RetractCorrection,
    correction_commands.PublishWithCorrection, correction_commands.EditWithCorrection, categories.CreateCategory,
    categories.RenameCategory, categories.DescribeCategory, categories.MoveCategory, categories.MergeCategory,
    UnmergeCategory, categories.DeleteCategory, RegisterAuthor, RenameAuthor, RegisterActor,
    RenameActor, NameSite, LocalizeSite, DescribeSite, tokens.CreateToken, tokens.RevokeToken, CategorizeTooLate,
    page_commands.CreatePage, page_commands.EditPage, page_commands.PublishPage, page_commands.UnpublishPage, ArrangeMenu,
)  # fmt: skip
_LANGUAGES: Final = ("en", "ar", UNSET, "not a tag")
_TIME_ZONES: Final = ("UTC", "America/New_York", UNSET, "Mars/Base")
_FREQUENT: Final = (
    posts.CreatePost, posts.CreatePost, posts.CategorizePost, posts.CategorizePost, lifecycle_commands.PublishPost,
    lifecycle_commands.PublishPost, posts.EditPost, categories.CreateCategory, categories.CreateCategory,
    categories.MoveCategory, categories.MergeCategory, UnmergeCategory, UnmergeCategory, categories.DeleteCategory,
    RegisterAuthor,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command whose posts, categories and authors are numbers until ids to choose from are known."""

    kind: type[Command]
    post: int = 0
    category: int = 0
    other: int = 0
    author: int = 0
    title: str | None = "Tide mill"
    slug: str | None = None
    text: str = ""
    date: int | None = None
    flag: bool = False
    by_slug: bool = False
    expecting: Expecting = Expecting.ANY
    key: int | None = None
    twice: bool = False

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        """Print the fields that differ from their defaults. Hypothesis calls this method by name."""
        differences = [
            f"{field.name}={value!r}"
            for field in fields(self)[1:]
            if (value := getattr(self, field.name)) != field.default
        ]
        printer.text(f"{self.kind.__name__}({', '.join(differences)})")


@dataclass(frozen=True, slots=True)
class Known:
    """The ids to choose from, the slugs of the categories, and the corrections, each with the id of its post.

    `merged` are the merged ones among `categories`.
    """

    posts: Sequence[str]
    categories: Sequence[str]
    merged: Sequence[str]
    authors: Sequence[str]
    actors: Sequence[str]
    tokens: Sequence[str]
    slugs: dict[str, str]
    corrections: Sequence[tuple[str, str]] = ()
    pages: Sequence[str] = ()


_numbers = st.integers(0, 20)
_titles = st.sampled_from((*TITLES[:6], None, *TITLES))
_slugs = st.sampled_from((None, *SLUGS))
_texts = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["C"]), max_size=10)
_expectations = st.sampled_from((*[Expecting.ANY] * 5, *Expecting))


@st.composite
def command_specs(draw: st.DrawFn) -> CommandSpec:
    """Draw any command; commands that create or change many objects are more frequent."""
    return CommandSpec(
        kind=draw(st.sampled_from((*_FREQUENT, *KINDS))),
        post=draw(_numbers),
        category=draw(_numbers),
        other=draw(_numbers),
        author=draw(_numbers),
        title=draw(_titles),
        slug=draw(_slugs),
        text=draw(_texts),
        date=draw(st.sampled_from(DATES)),
        flag=draw(st.booleans()),
        by_slug=draw(st.booleans()),
        expecting=draw(_expectations),
        key=draw(st.none() | st.none() | st.integers(0, 3)),
        twice=draw(st.sampled_from((False, False, True))),
    )


def random_command_spec(chance: Random) -> CommandSpec:
    """Return any command, as `command_specs` does, but from `chance` instead of Hypothesis."""
    return CommandSpec(
        kind=chance.choice((*_FREQUENT, *KINDS)),
        post=chance.randrange(21),
        category=chance.randrange(21),
        other=chance.randrange(21),
        author=chance.randrange(21),
        title=chance.choice((*TITLES[:6], None, *TITLES)),
        slug=chance.choice((None, *SLUGS)),
        text=chance.choice(TEXTS),
        date=chance.choice(DATES),
        flag=chance.random() < 0.5,
        by_slug=chance.random() < 0.5,
        expecting=chance.choice((*[Expecting.ANY] * 5, *Expecting)),
        key=chance.choice((None, None, chance.randrange(200))),
        twice=chance.random() < 0.3,
    )


def command_of(spec: CommandSpec, known: Known) -> Command:
    """Return the command that `spec` describes, with ids from `known`."""
    if spec.kind.__module__ in (posts.__name__, lifecycle_commands.__name__):
        return _on_posts(spec, known)
    if spec.kind is restore_version_and_revert_change_commands.RestorePost:
        return restore_version_and_revert_change_commands.RestorePost(
            post_id=_pick(known.posts, spec.post), to_version=spec.other % 12, publish=spec.flag
        )
    if spec.kind is restore_version_and_revert_change_commands.RevertPost:
        return restore_version_and_revert_change_commands.RevertPost(
            post_id=_pick(known.posts, spec.post), version=spec.other % 12, publish=spec.flag
        )
    if spec.kind.__module__ == correction_commands.__name__:
        return _on_corrections(spec, known)
    if spec.kind.__module__ == page_commands.__name__:
        return _on_pages(spec, known)
    if spec.kind is UnmergeCategory:
        return UnmergeCategory(
            category=CategoryRef(id=_pick(known.merged or known.categories, spec.category))
        )
    if spec.kind.__module__ == categories.__name__:
        return _on_categories(spec, known)
    author, actor = _pick(known.authors, spec.author), _pick(known.actors, spec.author)
    name = spec.title or spec.text
    commands: dict[type[Command], Command] = {
        RegisterAuthor: RegisterAuthor(name=name, slug=spec.slug if spec.by_slug else None),
        RenameAuthor: RenameAuthor(
            author_id=author,
            name=UNSET if spec.by_slug and spec.flag else name,
            slug=spec.slug if spec.by_slug else UNSET,
        ),
        RegisterActor: RegisterActor(name=name, kind=ActorKind.TOKEN if spec.flag else ActorKind.HUMAN),
        RenameActor: RenameActor(actor_id=actor, name=name),
        NameSite: NameSite(name=name),
        LocalizeSite: LocalizeSite(
            language=_LANGUAGES[spec.other % 4], time_zone=_TIME_ZONES[spec.author % 4]
        ),
        DescribeSite: DescribeSite(
            description=spec.text or None,
            logo=Logo(url=f"/{spec.other}.svg", text=name) if spec.flag else None,
            address=_unset_if_none(spec.title),
        ),
        ArrangeMenu: ArrangeMenu(items=_menu_items(spec, known, name)),
        tokens.CreateToken: tokens.CreateToken(
            name=name,
            role=Role.EDITOR,
            scopes=(READ_POSTS,) if spec.by_slug else None,
            expires_at=spec.date,
            acts_for=actor if spec.flag else None,
            secret_hash=tokens.secret_hash(f"{name} {spec.post}"),
        ),
        tokens.RevokeToken: tokens.RevokeToken(token_id=_pick(known.tokens, spec.author)),
        CategorizeTooLate: CategorizeTooLate(
            _pick(known.posts, spec.post), _pick(known.categories, spec.category)
        ),
    }
    return commands[spec.kind]


def _on_posts(spec: CommandSpec, known: Known) -> Command:
    post_id, category = _pick(known.posts, spec.post), _ref(spec, known, spec.category)
    authors = tuple(_pick(known.authors, n) for n in range(spec.author % 3)) if known.authors else ()
    match spec.kind:
        case posts.CreatePost:
            return posts.CreatePost(
                title="Untitled" if spec.title is None else spec.title,
                body=spec.text,
                teaser=spec.text if spec.flag else None,
                slug=spec.slug,
                author_ids=authors,
                categories=(category, _ref(spec, known, spec.other))[: spec.other % 3]
                if known.categories
                else (),
                publish=spec.flag,
                published_at=spec.date if spec.flag else None,
            )
        case posts.EditPost:
            return posts.EditPost(
                post_id=post_id,
                title=_unset_if_none(spec.title),
                teaser=(spec.text or None) if spec.by_slug else UNSET,
                body=UNSET if spec.category % 2 else spec.text,
                slug=None if spec.slug is None and spec.by_slug else _unset_if_none(spec.slug),
                author_ids=authors if spec.other % 2 else UNSET,
                publish=spec.flag,
            )
        case posts.CategorizePost:
            return posts.CategorizePost(post_id=post_id, category=category)
        case posts.UncategorizePost:
            return posts.UncategorizePost(post_id=post_id, category=category)
        case lifecycle_commands.PublishPost:
            correction = spec.text if spec.flag else None
            return lifecycle_commands.PublishPost(
                post_id=post_id, published_at=spec.date, correction=correction
            )
        case lifecycle_commands.UnpublishPost:
            return lifecycle_commands.UnpublishPost(post_id=post_id)
        case lifecycle_commands.ArchivePost:
            return lifecycle_commands.ArchivePost(post_id=post_id)
        case _:
            return lifecycle_commands.UnarchivePost(post_id=post_id)


def _on_pages(spec: CommandSpec, known: Known) -> Command:
    page_id = _pick(known.pages, spec.post)
    match spec.kind:
        case page_commands.CreatePage:
            return page_commands.CreatePage(
                title=spec.title or "Untitled", body=spec.text, slug=spec.slug, publish=spec.flag
            )
        case page_commands.EditPage:
            return page_commands.EditPage(
                page_id=page_id,
                title=_unset_if_none(spec.title),
                body=UNSET if spec.category % 2 else spec.text,
                slug=_unset_if_none(spec.slug),
                publish=spec.flag,
            )
        case page_commands.PublishPage:
            return page_commands.PublishPage(page_id=page_id)
        case _:
            return page_commands.UnpublishPage(page_id=page_id)


def _menu_items(spec: CommandSpec, known: Known, label: str) -> tuple[NewMenuItem, ...]:
    items = [
        NewMenuItem(label=label, page=PageRef(id=_pick(known.pages, spec.post))),
        NewMenuItem(label=label, category=_ref(spec, known, spec.category), place=MenuPlace.FOOTER),
        NewMenuItem(label=label, address="/"),
    ]
    return tuple(items[spec.other % 4 :])


def _on_corrections(spec: CommandSpec, known: Known) -> Command:
    post_id = _pick(known.posts, spec.post)
    kind = tuple(CorrectionKind)[spec.author % 3]
    passage = PASSAGES[spec.category % len(PASSAGES)]
    note = spec.text or spec.title or ""
    new = NewCorrection(note=note, kind=kind, passage=passage)
    of, correction_id = post_id, UNKNOWN
    if known.corrections and spec.other < 19:
        of, correction_id = known.corrections[spec.other % len(known.corrections)]
    match spec.kind:
        case correction_commands.AddCorrection:
            revision = spec.other % 4 if spec.by_slug else None
            return correction_commands.AddCorrection(post_id=post_id, correction=new, revision=revision)
        case correction_commands.RewordCorrection:
            return correction_commands.RewordCorrection(
                post_id=of,
                correction_id=correction_id,
                kind=kind if spec.by_slug else UNSET,
                note=UNSET if spec.flag else note,
                passage=passage if spec.author % 2 else UNSET,
            )
        case correction_commands.RetractCorrection:
            return correction_commands.RetractCorrection(post_id=of, correction_id=correction_id)
        case correction_commands.PublishWithCorrection:
            return correction_commands.PublishWithCorrection(
                post_id=post_id, published_at=spec.date, with_correction=new
            )
        case _:
            return correction_commands.EditWithCorrection(
                post_id=post_id,
                title=_unset_if_none(spec.title),
                body=UNSET if spec.category % 2 else spec.text,
                publish=not spec.flag,
                with_correction=new,
            )


def _on_categories(spec: CommandSpec, known: Known) -> Command:
    category, other = _ref(spec, known, spec.category), _ref(spec, known, spec.other)
    parent = other if spec.flag and known.categories else None
    match spec.kind:
        case categories.CreateCategory:
            return categories.CreateCategory(
                name="Untitled" if spec.title is None else spec.title,
                slug=spec.slug,
                description=spec.text or None,
                parent=parent,
            )
        case categories.RenameCategory:
            return categories.RenameCategory(
                category=category, name=_unset_if_none(spec.title), slug=_unset_if_none(spec.slug)
            )
        case categories.DescribeCategory:
            return categories.DescribeCategory(category=category, description=spec.text or None)
        case categories.MoveCategory:
            return categories.MoveCategory(category=category, parent=parent)
        case categories.MergeCategory:
            return categories.MergeCategory(category=category, into=other)
        case _:
            return categories.DeleteCategory(category=category)


def _unset_if_none(value: str | None) -> str | UnsetType:
    return UNSET if value is None else value


def _pick(ids: Sequence[str], number: int) -> str:
    """Return one of the ids, or sometimes an unknown id."""
    return ids[number % len(ids)] if ids and number < 20 else UNKNOWN


def _ref(spec: CommandSpec, known: Known, number: int) -> CategoryRef:
    category_id = _pick(known.categories, number)
    slug = known.slugs.get(category_id)
    return CategoryRef(slug=slug) if spec.by_slug and slug else CategoryRef(id=category_id)
