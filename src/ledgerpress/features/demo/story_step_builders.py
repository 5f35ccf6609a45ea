"""The steps of the demo's story: each step is an ordinary command with a time, an actor and a reason."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from msgspec import UNSET, UnsetType

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.features.actors.commands import RegisterActor
from ledgerpress.features.actors.model import OPERATOR
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.features.categories import commands as tree
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.demo.texts import text
from ledgerpress.features.posts import correction_commands, lifecycle_commands
from ledgerpress.features.posts import create_edit_categorize_commands as posts
from ledgerpress.features.posts.corrections.decisions import NewCorrection
from ledgerpress.features.posts.corrections.model import CorrectionKind, id_of_note
from ledgerpress.features.site.commands import NameSite

_MICROSECOND: Final = timedelta(microseconds=1)

OPERATOR_STEPS: Final = "operator"
"""The actor who sets up the store, before there are others."""


class Stage:
    """The ids of the objects that the story has created, by the names that the story uses."""

    def __init__(self, start: int) -> None:
        """Begin at `start`, in microseconds since 1970, UTC."""
        self.start = start
        self._ids = {("actor", OPERATOR_STEPS): OPERATOR.id}

    def put(self, kind: str, name: str, subject_id: str) -> None:
        self._ids[kind, name] = subject_id

    def id(self, kind: str, name: str) -> str:
        """Return the id of the object that the story calls `name`. Raises `KeyError` if it was not created."""
        return self._ids[kind, name]

    def category(self, name: str) -> CategoryRef:
        return CategoryRef(id=self.id("category", name))

    def authors(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.id("author", name) for name in names)

    def before(self, days: int) -> int:
        """Return the time `days` days before the story begins."""
        return self.start - timedelta(days=days) // _MICROSECOND


class Act(NamedTuple):
    """A function that returns a command once all ids are known; `creates` is the kind and name of the new object."""

    command: Callable[[Stage], Command]
    creates: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One act by an actor, for a reason; `after` is in microseconds from the beginning of the story."""

    after: int
    by: str
    act: Act
    reason: str | None


def _steps_of(actor: str) -> Callable[..., Step]:
    """Return the function that creates the steps of an actor; a step has a day, from 0, and a time of day (HH:MM)."""

    def step(day: int, time: str, act: Act, reason: str | None = None) -> Step:
        hours, minutes = time.split(":")
        after = timedelta(days=day, hours=int(hours), minutes=int(minutes))
        return Step(after // _MICROSECOND, actor, act, reason)

    return step


operator: Final = _steps_of(OPERATOR_STEPS)
hester: Final = _steps_of("hester")
bram: Final = _steps_of("bram")
yusra: Final = _steps_of("yusra")
piet: Final = _steps_of("piet")
nell: Final = _steps_of("nell")


def name_site(name: str) -> Act:
    return Act(lambda _: NameSite(name=name))


def actor(key: str, name: str) -> Act:
    return Act(lambda _: RegisterActor(name=name), ("actor", key))


def author(key: str, name: str) -> Act:
    return Act(lambda _: RegisterAuthor(name=name), ("author", key))


def rename_author(key: str, name: str) -> Act:
    """Rename an author, who also gets a new slug: the old one redirects."""
    return Act(lambda stage: RenameAuthor(author_id=stage.id("author", key), name=name, slug=None))


def category(key: str, name: str, description: str | None = None, *, under: str | None = None) -> Act:
    return Act(
        lambda stage: tree.CreateCategory(
            name=name, description=description, parent=stage.category(under) if under else None
        ),
        ("category", key),
    )


def rename_category(key: str, name: str, *, slug: str) -> Act:
    return Act(lambda stage: tree.RenameCategory(category=stage.category(key), name=name, slug=slug))


def describe(key: str, description: str) -> Act:
    return Act(lambda stage: tree.DescribeCategory(category=stage.category(key), description=description))


def move(key: str, *, under: str) -> Act:
    return Act(lambda stage: tree.MoveCategory(category=stage.category(key), parent=stage.category(under)))


def merge(key: str, *, into: str) -> Act:
    return Act(lambda stage: tree.MergeCategory(category=stage.category(key), into=stage.category(into)))


def delete_category(key: str) -> Act:
    return Act(lambda stage: tree.DeleteCategory(category=stage.category(key)))


def write(
    key: str,
    title: str,
    *,
    by: tuple[str, ...] = (),
    into: tuple[str, ...] = (),
    teaser: str | None = None,
    slug: str | None = None,
    publish: bool = False,
) -> Act:
    """Create a post with version 1 of its text."""
    return Act(
        lambda stage: posts.CreatePost(
            title=title,
            body=text(key, 1),
            teaser=teaser,
            slug=slug,
            author_ids=stage.authors(by),
            categories=tuple(map(stage.category, into)),
            publish=publish,
        ),
        ("post", key),
    )


def edit(
    key: str,
    *,
    version: int | None = None,
    title: str | UnsetType = UNSET,
    teaser: str | UnsetType | None = UNSET,
    slug: str | UnsetType = UNSET,
    by: tuple[str, ...] | None = None,
    publish: bool = False,
) -> Act:
    """Edit a post; `version` is the version of its text."""
    return Act(
        lambda stage: posts.EditPost(
            post_id=stage.id("post", key),
            title=title,
            teaser=teaser,
            body=UNSET if version is None else text(key, version),
            slug=slug,
            author_ids=UNSET if by is None else stage.authors(by),
            publish=publish,
        )
    )


def publish(key: str, *, days_before: int | None = None, correction: str | None = None) -> Act:
    """Publish a post; with `days_before`, dated that many days before the story begins."""
    return Act(
        lambda stage: lifecycle_commands.PublishPost(
            post_id=stage.id("post", key),
            published_at=None if days_before is None else stage.before(days_before),
            correction=correction,
        )
    )


def clarify(key: str, note: str, *, passage: str) -> Act:
    """Add a clarification to the published post."""
    return _add(key, NewCorrection(kind=CorrectionKind.CLARIFICATION, note=note, passage=passage))


def note_update(key: str, note: str, *, passage: str) -> Act:
    """Add an update to the published post."""
    return _add(key, NewCorrection(kind=CorrectionKind.UPDATE, note=note, passage=passage))


def _add(key: str, correction: NewCorrection) -> Act:
    return Act(
        lambda stage: correction_commands.AddCorrection(post_id=stage.id("post", key), correction=correction)
    )


def reword(key: str, note: str, *, of_version: int) -> Act:
    """Reword the correction that was published as the version `of_version` of the post."""
    return Act(
        lambda stage: correction_commands.RewordCorrection(
            post_id=stage.id("post", key),
            correction_id=id_of_note(stage.id("post", key), of_version),
            note=note,
        )
    )


def _on_post(command: Callable[..., Command]) -> Callable[[str], Act]:
    return lambda key: Act(lambda stage: command(post_id=stage.id("post", key)))


def _on_post_and_category(command: Callable[..., Command]) -> Callable[[str, str], Act]:
    return lambda key, name: Act(
        lambda stage: command(post_id=stage.id("post", key), category=stage.category(name))
    )


unpublish: Final = _on_post(lifecycle_commands.UnpublishPost)
archive: Final = _on_post(lifecycle_commands.ArchivePost)
bring_back: Final = _on_post(lifecycle_commands.UnarchivePost)
file_under: Final = _on_post_and_category(posts.CategorizePost)
take_out_of: Final = _on_post_and_category(posts.UncategorizePost)
