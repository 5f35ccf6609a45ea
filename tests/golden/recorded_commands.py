"""The fixed sequence of commands behind the golden log. It stays as it is, so that later versions can be compared.

For a new kind of event, commands are added at the end, and so are its lines in the golden log: no other line changes.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

from ledgerpress.commands.command_handler import CommandHandler
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.first_events_of_publication import open_publication
from ledgerpress.commands.roles_and_permissions import Role
from ledgerpress.commands.skip_event import SkipEvent
from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.leases import Leases
from ledgerpress.eventlog.log import OpenedLog
from ledgerpress.features.actors.commands import RegisterActor, RenameActor
from ledgerpress.features.actors.model import IMPORTER, ActorKind
from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
from ledgerpress.features.categories.commands import (
    CreateCategory,
    DeleteCategory,
    DescribeCategory,
    MergeCategory,
    MoveCategory,
    RenameCategory,
)
from ledgerpress.features.categories.model import CategoryRef
from ledgerpress.features.categories.unmerge_command import UnmergeCategory
from ledgerpress.features.posts import READ_POSTS, WRITE_POSTS
from ledgerpress.features.posts.create_edit_categorize_commands import (
    CategorizePost,
    CreatePost,
    EditPost,
    UncategorizePost,
)
from ledgerpress.features.posts.lifecycle_commands import (
    ArchivePost,
    PublishPost,
    UnarchivePost,
    UnpublishPost,
)
from ledgerpress.features.posts.restore_version_and_revert_change_commands import RestorePost, RevertPost
from ledgerpress.features.registry import FEATURES, all_projectors, event_codec
from ledgerpress.features.site.commands import NameSite
from ledgerpress.features.tokens.commands import CreateToken, RevokeToken, secret_hash
from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.projection.checkpoints import Checkpoint
from ledgerpress.views.projection.runner import ProjectionRunner
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.fixed_sources import SeededBytes, SetClock

PUBLICATION: Final = uuid8("golden", "publication")
NIGHT: Final = CategoryRef(slug="night")
TOWN: Final = CategoryRef(slug="town")


class _Views:
    """The views, caught up whenever they are asked for: nothing depends on when a task runs."""

    def __init__(self, views: ViewsFile, runner: ProjectionRunner) -> None:
        self._views = views
        self._runner = runner

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        return {}

    async def wait_for(self, position: int, timeout: float, names: Sequence[str] = ()) -> bool:
        await self._runner.catch_up()
        return await self._runner.wait_for(position, timeout, names)

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        return self._views.snapshot()


@asynccontextmanager
async def _opened(log: OpenedLog, views_file: Path) -> AsyncIterator[tuple[CommandHandler, Leases]]:
    codec, clock, randomness = event_codec(), SetClock(), SeededBytes("golden")
    name_key = await open_publication(log, codec, clock, randomness, FEATURES.first_events)
    views = await ViewsFile.open(views_file, all_projectors())
    try:
        runner = ProjectionRunner(log, codec, views, all_projectors())
        await runner.start()
        handler = CommandHandler(
            log=log,
            codec=codec,
            declarations=FEATURES.declarations,
            views=_Views(views, runner),
            clock=clock,
            randomness=randomness,
            name_key=name_key,
        )
        yield handler, Leases(log, codec, clock, randomness, node="Nördlich 2")
    finally:
        await views.aclose()


async def happen(log: OpenedLog, views_file: Path) -> None:
    """Carry out the sequence on an empty log."""
    async with _opened(log, views_file) as (handler, leases):
        await _people(handler)
        await _tree(handler)
        await _posts(handler)
        await _past(handler)
        await _skip(handler)
        await _tokens(handler)
        await _leases(handler, leases)
        await _unmerged(handler)


async def _people(handler: CommandHandler) -> None:
    do = handler.handle
    await do(NameSite(name="The Tide — प्रवाह"), CommandRequest(reason="So that it has a name."))
    desk = await do(RegisterActor(name="Night desk", kind=ActorKind.TOKEN))
    await do(RenameActor(actor_id=desk.subject_id, name="Late desk"))
    author = await do(
        RegisterAuthor(name="Ada Brook"), CommandRequest(idempotency_key="author-1", trace_id="4bf92f35")
    )
    await do(
        RenameAuthor(author_id=author.subject_id, name="Ada Brook-Łukasz"), CommandRequest(expected_version=1)
    )


async def _tree(handler: CommandHandler) -> None:
    do = handler.handle
    await do(CreateCategory(name="Town", description="Streets, squares\nand the people in them."))
    await do(CreateCategory(name="Night"))
    await do(CreateCategory(name="Über uns", slug="about", parent=TOWN))
    await do(RenameCategory(category=CategoryRef(slug="about"), name="About us"))
    await do(
        RenameCategory(category=CategoryRef(slug="about"), slug="us"), CommandRequest(reason="Shorter 🎈")
    )
    await do(DescribeCategory(category=TOWN, description=None))
    await do(MoveCategory(category=NIGHT, parent=TOWN))
    await do(MoveCategory(category=CategoryRef(slug="us"), parent=None))
    await do(MergeCategory(category=CategoryRef(slug="us"), into=NIGHT))
    await do(CreateCategory(name="Weather"))
    await do(DeleteCategory(category=CategoryRef(slug="weather")))


async def _posts(handler: CommandHandler) -> None:
    do = handler.handle
    author = await do(RegisterAuthor(name="Bo Lind"))
    mill = await do(
        CreatePost(
            title="The tide mill turns again",
            body='# Wheels\r\n\r\nTwo of them, *each* with 24 “buckets”.\n\n```py\nprint("\\t")\n```\n',
            teaser="After forty years.",
            author_ids=(author.subject_id,),
            categories=(TOWN, NIGHT),
            publish=True,
            published_at=1_714_000_000_000_000,
        ),
        CommandRequest(
            actor_id=IMPORTER.id, idempotency_key="page:tide-mill", correlation_id=uuid8("golden", "import")
        ),
    )
    market = await do(CreatePost(title="रात का बाज़ार", body="नमस्ते 🌍"))
    namesake = await do(CreatePost(title="रात का बाज़ार"))
    await do(
        EditPost(
            post_id=market.subject_id, title="Night market", slug="night-market", teaser="Open till two."
        )
    )
    await do(
        EditPost(post_id=mill.subject_id, teaser=None, author_ids=(), body="Three wheels.", publish=True),
        CommandRequest(
            on_behalf_of_actor_id=uuid8("golden", "editor"),
            causation_id=uuid8("golden", "cause"),
            expected_version=4,
        ),
    )
    await do(CategorizePost(post_id=market.subject_id, category=NIGHT))
    await do(PublishPost(post_id=market.subject_id))
    await do(PublishPost(post_id=mill.subject_id, correction="The mill has three wheels, not two."))
    await do(UncategorizePost(post_id=mill.subject_id, category=TOWN))
    await do(PublishPost(post_id=market.subject_id, published_at=-86_400_000_000))
    await do(UnpublishPost(post_id=market.subject_id))
    await do(ArchivePost(post_id=namesake.subject_id), CommandRequest(reason="Written twice."))
    await do(UnarchivePost(post_id=namesake.subject_id))


async def _past(handler: CommandHandler) -> None:
    do = handler.handle
    ferry = await do(CreatePost(title="Ferry", body="At nine.\n\nAnd at ten.\n", teaser="Twice."))
    await do(EditPost(post_id=ferry.subject_id, title="The ferry", body="At eight.\n\nAnd at ten.\n"))
    await do(EditPost(post_id=ferry.subject_id, body="At eight.\n\nAnd at noon.\n", slug="the-ferry"))
    await do(RevertPost(post_id=ferry.subject_id, version=2), CommandRequest(reason="It is nine after all."))
    await do(RestorePost(post_id=ferry.subject_id, to_version=1, publish=True))


async def _skip(handler: CommandHandler) -> None:
    await handler.handle(
        SkipEvent(projection="listings", position=41),
        CommandRequest(reason="It cannot be listed: see ticket 12."),
    )


async def _tokens(handler: CommandHandler) -> None:
    do = handler.handle
    feed = await do(
        CreateToken(
            name="Feed — प्रवाह",
            role=Role.EDITOR,
            scopes=(WRITE_POSTS, READ_POSTS),
            expires_at=1_999_999_999_000_000,
            secret_hash=secret_hash("lp_golden"),
        ),
        CommandRequest(idempotency_key="token-1"),
    )
    await do(RevokeToken(token_id=feed.subject_id), CommandRequest(reason="It was seen in a screenshot."))
    reader = await do(RegisterActor(name="Ada"))
    await do(
        CreateToken(
            name="Ada's", role=Role.AUDITOR, acts_for=reader.subject_id, secret_hash=secret_hash("lp_2")
        )
    )


async def _leases(handler: CommandHandler, leases: Leases) -> None:
    for title in ("At six", "At seven"):
        async with leases.hold("schedules") as fence:
            await handler.handle(CreatePost(title=title), CommandRequest(fence=fence))


async def _unmerged(handler: CommandHandler) -> None:
    await handler.handle(
        UnmergeCategory(category=CategoryRef(slug="us")), CommandRequest(reason="Readers missed it.")
    )
