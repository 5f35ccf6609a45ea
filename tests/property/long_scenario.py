"""A long history of a newsroom: thousands of posts and a changing category tree, the same for the same seed.

Every event is the result of a command. Some commands are rejected, and record nothing.
"""

from collections import Counter
from random import Random
from typing import Final

from msgspec import UNSET

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_handler import CommandHandler
from ledgerpress.commands.errors import Rejection
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.features.categories import commands as categories
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.categories.unmerge_command import UnmergeCategory
from ledgerpress.features.posts import (
    correction_commands,
    lifecycle_commands,
    restore_version_and_revert_change_commands,
)
from ledgerpress.features.posts import create_edit_categorize_commands as posts
from ledgerpress.features.posts.corrections.decisions import NewCorrection
from ledgerpress.features.posts.corrections.model import CorrectionKind
from ledgerpress.features.posts.model import PostStatus
from ledgerpress.features.site.commands import LocalizeSite, NameSite
from tests.fixed_sources import SeededBytes
from tests.newsroom_model import Category, Correction, Post
from tests.property.command_generator import DAY, NOW, CategorizeTooLate
from tests.property.memory_log import MemoryCommands, MemoryLog

SECOND: Final = 1_000_000
HOUR: Final = 3_600 * SECOND
IMPORT_SIZE: Final = 80
WORDS: Final = (
    *("tide", "mill", "market", "tram", "harbour", "council", "ferry", "bridge", "storm", "school", "river"),
    *("library", "station", "garden", "café", "Über", "İzmir", "रात", "बाज़ार", "夜市"),
)


class StandingClock:
    """A clock that shows the same time until it is set."""

    def __init__(self, time: int) -> None:
        self.time = time

    def now(self) -> int:
        return self.time


class LongScenario:
    """The scenario of `seed`, with `posts` posts and at least `events` events."""

    def __init__(self, seed: int, *, posts: int, events: int) -> None:
        self.commands = MemoryCommands(MemoryLog(uuid8("busy year", seed)))
        self.rejections: Counter[str] = Counter()
        self._posts, self._events = posts, events
        self._chance = Random(seed)
        self._randomness = SeededBytes(f"busy year {seed}")
        self._clock = StandingClock(NOW)
        self._to_import = 0

    async def run(self) -> None:
        """Run all commands."""
        handler = await self.commands.opened(self._clock, self._randomness)
        for _ in range(6):
            await handler.handle(RegisterAuthor(name=self._words(2)))
        for _ in range(12):
            self.commands.apply_new_events()
            await handler.handle(self._create_category())
        generators = (
            (20, self._create_post), (16, self._edit), (6, self._change_slug), (16, self._publish),
            (4, self._correct), (2, self._correct_and_publish), (2, self._reword), (1, self._retract),
            (5, self._unpublish), (4, self._archive), (4, self._unarchive), (10, self._categorize),
            (4, self._uncategorize), (2, self._restore), (2, self._revert), (0.3, self._categorize_too_late),
            (1, self._create_category), (1.5, self._rename_category), (0.5, self._describe_category),
            (2, self._move_category), (0.6, self._merge_category), (0.2, self._unmerge_category),
            (0.4, self._delete_category),
            (0.3, self._register_author), (0.5, self._rename_author), (0.2, self._name_site),
            (0.2, self._localize_site),
        )  # fmt: skip
        weights = [weight for weight, _ in generators]
        while True:
            self.commands.apply_new_events()
            enough = len(self.commands.room.posts) >= self._posts
            if enough and len(self.commands.history) >= self._events:
                return
            (_, generate) = self._chance.choices(generators, weights)[0]
            if self._to_import:
                self._to_import -= 1
                generate = self._create_post
            if enough and generate == self._create_post:
                continue
            await self._do(handler, generate())

    async def _do(self, handler: CommandHandler, command: Command | None) -> None:
        if command is None:
            return
        try:
            await handler.handle(command)
        except Rejection as rejection:
            self.rejections[rejection.code] += 1
        if self._to_import:
            return
        chance = self._chance
        self._clock.time += chance.choice(
            (0, 0, 1, chance.randrange(90 * SECOND), HOUR // 4, chance.randrange(6 * HOUR))
        )
        if chance.random() < 0.01:
            self._clock.time -= chance.randrange(2 * HOUR)

    # --- posts -------------------------------------------------------------------------------------

    def _create_post(self) -> Command:
        chance, room = self._chance, self.commands.room
        if not self._to_import and chance.random() < 0.002:
            self._to_import = IMPORT_SIZE
        date = self._clock.time - chance.randrange(HOUR) if self._to_import else self._date()
        publish = bool(self._to_import) or chance.random() < 0.6
        existing = room.existing_categories()
        return posts.CreatePost(
            title=self._words(chance.choice((2, 3))),
            body=self._body(),
            teaser=chance.choice((None, self._words(5))),
            author_ids=self._authors(),
            categories=tuple(
                self._ref(category) for category in chance.sample(existing, chance.randrange(4))
            ),
            publish=publish,
            published_at=date if publish else None,
        )

    def _edit(self) -> Command | None:
        chance, post = (
            self._chance,
            self._post(PostStatus.DRAFT, PostStatus.PUBLISHED, PostStatus.UNPUBLISHED),
        )
        if post is None:
            return None
        publish = chance.random() < 0.4
        match chance.randrange(4):
            case 0:
                return posts.EditPost(post_id=post.id, title=self._words(3), publish=publish)
            case 1:
                return posts.EditPost(post_id=post.id, body=self._body(), publish=publish)
            case 2:
                return posts.EditPost(post_id=post.id, author_ids=self._authors(), publish=publish)
            case _:
                teaser = chance.choice((None, self._words(6)))
                return posts.EditPost(post_id=post.id, teaser=teaser, title=self._words(2), publish=publish)

    def _change_slug(self) -> Command | None:
        chance, post = self._chance, self._post()
        if post is None:
            return None
        slug = "-".join((chance.choice(WORDS[:14]), chance.choice(WORDS[:14]), str(chance.randrange(9))))
        return posts.EditPost(post_id=post.id, slug=slug, publish=chance.random() < 0.5)

    def _publish(self) -> Command | None:
        post = self._post(PostStatus.DRAFT, PostStatus.PUBLISHED, PostStatus.UNPUBLISHED)
        if post is None:
            return None
        correction = self._words(4) if self._chance.random() < 0.2 else None
        return lifecycle_commands.PublishPost(
            post_id=post.id, published_at=self._date(), correction=correction
        )

    def _correct(self) -> Command | None:
        post = self._post(PostStatus.PUBLISHED, PostStatus.UNPUBLISHED)
        if post is None:
            return None
        revision = self._chance.choice((None, *post.published))
        of = post.published[post.live_revision if revision is None else revision]
        return correction_commands.AddCorrection(
            post_id=post.id, correction=self._correction(*of), revision=revision
        )

    def _correct_and_publish(self) -> Command | None:
        post = self._post(PostStatus.PUBLISHED, PostStatus.UNPUBLISHED)
        if post is None:
            return None
        correction = self._correction(*post.published[post.live_revision])
        if self._chance.random() < 0.5:
            return correction_commands.PublishWithCorrection(post_id=post.id, with_correction=correction)
        return correction_commands.EditWithCorrection(
            post_id=post.id, body=self._body(), publish=True, with_correction=correction
        )

    def _reword(self) -> Command | None:
        post, correction = self._corrected()
        if post is None or correction is None:
            return None
        note, passage = self._chance.choice(((self._words(5), UNSET), (UNSET, None), (self._words(3), None)))
        return correction_commands.RewordCorrection(
            post_id=post.id, correction_id=correction.id, note=note, passage=passage
        )

    def _retract(self) -> Command | None:
        post, correction = self._corrected()
        if post is None or correction is None:
            return None
        return correction_commands.RetractCorrection(post_id=post.id, correction_id=correction.id)

    def _unpublish(self) -> Command | None:
        post = self._post(PostStatus.PUBLISHED)
        return lifecycle_commands.UnpublishPost(post_id=post.id) if post else None

    def _archive(self) -> Command | None:
        post = self._post()
        return lifecycle_commands.ArchivePost(post_id=post.id) if post else None

    def _unarchive(self) -> Command | None:
        post = self._post(PostStatus.ARCHIVED)
        return lifecycle_commands.UnarchivePost(post_id=post.id) if post else None

    def _categorize(self) -> Command | None:
        post, category = self._post(), self._category()
        return posts.CategorizePost(post_id=post.id, category=self._ref(category)) if post else None

    def _uncategorize(self) -> Command | None:
        post = self._post()
        existing = self.commands.room.categories_of(post) if post else []
        if post is None or not existing:
            return None
        return posts.UncategorizePost(post_id=post.id, category=self._ref(self._chance.choice(existing)))

    def _restore(self) -> Command | None:
        post = self._post()
        if post is None:
            return None
        version = self._chance.randint(1, post.version)
        return restore_version_and_revert_change_commands.RestorePost(
            post_id=post.id, to_version=version, publish=version % 2 == 0
        )

    def _revert(self) -> Command | None:
        post = self._post()
        if post is None:
            return None
        version = self._chance.randint(1, post.version)
        return restore_version_and_revert_change_commands.RevertPost(
            post_id=post.id, version=version, publish=version % 2 == 0
        )

    def _categorize_too_late(self) -> Command | None:
        post, known = self._post(), list(self.commands.room.categories)
        return CategorizeTooLate(post.id, self._chance.choice(known)) if post else None

    # --- the tree ----------------------------------------------------------------------------------

    def _create_category(self) -> Command:
        existing = self.commands.room.existing_categories()
        parent = (
            self._ref(self._chance.choice(existing)) if existing and self._chance.random() < 0.7 else None
        )
        return categories.CreateCategory(name=self._words(1), description=self._words(4), parent=parent)

    def _rename_category(self) -> Command:
        ref, name = self._ref(self._category()), self._words(1)
        slug = f"{self._chance.choice(WORDS[:14])}-news"
        match self._chance.randrange(3):
            case 0:
                return categories.RenameCategory(category=ref, name=name)
            case 1:
                return categories.RenameCategory(category=ref, slug=slug)
            case _:
                return categories.RenameCategory(category=ref, name=name, slug=slug)

    def _describe_category(self) -> Command:
        text = self._chance.choice((None, self._words(5)))
        return categories.DescribeCategory(category=self._ref(self._category()), description=text)

    def _move_category(self) -> Command:
        parent = self._ref(self._category()) if self._chance.random() < 0.7 else None
        return categories.MoveCategory(category=self._ref(self._category()), parent=parent)

    def _merge_category(self) -> Command:
        return categories.MergeCategory(
            category=self._ref(self._category()), into=self._ref(self._category())
        )

    def _unmerge_category(self) -> Command | None:
        merged = [category for category in self.commands.room.categories.values() if category.merged_into]
        if not merged:
            return None
        return UnmergeCategory(category=CategoryRef(id=self._chance.choice(merged).id))

    def _delete_category(self) -> Command:
        room = self.commands.room
        used = {category.id for post in room.posts.values() for category in room.categories_of(post)}
        used |= {category.parent for category in room.existing_categories() if category.parent}
        empty = [category for category in room.existing_categories() if category.id not in used]
        return categories.DeleteCategory(
            category=self._ref(self._chance.choice(empty) if empty else self._category())
        )

    # --- authors and the site ----------------------------------------------------------------------

    def _register_author(self) -> Command:
        return RegisterAuthor(name=self._words(2))

    def _rename_author(self) -> Command:
        author_id = self._chance.choice(list(self.commands.room.authors))
        return RenameAuthor(author_id=author_id, name=self._words(2))

    def _name_site(self) -> Command:
        return NameSite(name=self._words(2))

    def _localize_site(self) -> Command:
        return LocalizeSite(
            language=self._chance.choice(("en", "ar", UNSET)),
            time_zone=self._chance.choice(("UTC", "America/New_York", UNSET)),
        )

    # --- choices -----------------------------------------------------------------------------------

    def _corrected(self) -> tuple[Post, Correction] | tuple[None, None]:
        """Return a post that has corrections, and one of them."""
        corrected = [post for post in self.commands.room.posts.values() if post.corrections]
        if not corrected:
            return None, None
        post = self._chance.choice(corrected)
        return post, self._chance.choice(post.corrections)

    def _correction(self, title: str, teaser: str | None, body: str) -> NewCorrection:
        """Return a correction that quotes the title, a part of the body, or nothing."""
        passage = self._chance.choice((None, title, body.partition(".")[0]))
        kind = self._chance.choice(tuple(CorrectionKind))
        return NewCorrection(note=self._words(4), kind=kind, passage=passage)

    def _post(self, *statuses: PostStatus) -> Post | None:
        """Return a post with one of the statuses, or any post. Half of the choices are among the 50 latest posts."""
        known = list(self.commands.room.posts.values())
        for _ in range(30):
            if not known:
                return None
            post = self._chance.choice(self._chance.choice((known, known[-50:])))
            if not statuses or post.status in statuses:
                return post
        return None

    def _category(self) -> Category:
        return self._chance.choice(self.commands.room.existing_categories())

    def _ref(self, category: Category) -> CategoryRef:
        return self._chance.choice((CategoryRef(id=category.id), CategoryRef(slug=category.slug)))

    def _authors(self) -> tuple[str, ...]:
        return tuple(self._chance.sample(list(self.commands.room.authors), self._chance.randrange(3)))

    def _date(self) -> int | None:
        """Return no date, a date within the last hours, days or years, or a date that other posts have as well."""
        chance, now = self._chance, self._clock.time
        hours = now // HOUR * HOUR
        return chance.choice(
            (
                None,
                None,
                now - chance.randrange(HOUR),
                hours,
                hours - 24 * HOUR,
                now - chance.randrange(900 * DAY),
            )
        )

    def _words(self, count: int) -> str:
        return " ".join(self._chance.choice(WORDS) for _ in range(count)).capitalize()

    def _body(self) -> str:
        return "\n\n".join(f"{self._words(6)}." for _ in range(self._chance.randint(1, 3)))
