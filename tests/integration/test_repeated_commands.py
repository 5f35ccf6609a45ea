"""A command is sent twice; the copy is executed just before the original is decided."""

from pathlib import Path

import pytest

from ledgerpress.commands.command_request_and_context import CommandContext, CommandRequest, CommandResult
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.streams_and_append_plan import AppendPlan
from ledgerpress.features.posts import create_edit_categorize_commands as posts
from ledgerpress.server.store import Store, open_store
from tests.fixed_sources import SeededBytes, SetClock


async def execute_after_copy(
    store: Store, original: posts.EditPost, request: CommandRequest
) -> tuple[CommandResult, CommandResult]:
    """Return two results of a command: of its copy and of itself."""
    copies: list[CommandResult] = []

    class EditPost(posts.EditPost):
        lock_key = None  # as in another process: the copy does not wait

        async def plan(self, context: CommandContext) -> AppendPlan:
            if not copies:
                copies.append(await store.commands.handle(original, request))
            return await super().plan(context)

    late = EditPost(post_id=original.post_id, title=original.title)
    outcome = await store.commands.handle(late, request)
    return copies[0], outcome


@pytest.mark.parametrize("expected_version", [None, 2], ids=["nothing to do", "version conflict"])
async def test_a_command_returns_the_result_of_its_faster_copy(
    tmp_path: Path, expected_version: int | None
) -> None:
    async with open_store(tmp_path / "data", clock=SetClock(), randomness=SeededBytes()) as store:
        post = await store.commands.handle(posts.CreatePost(title="Tide mill", publish=True))
        edit = posts.EditPost(post_id=post.subject_id, title="Tide mill reopens")
        keyed = CommandRequest(idempotency_key="once", expected_version=expected_version)
        copy, outcome = await execute_after_copy(store, edit, keyed)
        assert (copy.replayed, outcome.replayed) == (False, True)
        assert outcome.position == copy.position == await store.log.head()

        unkeyed = CommandRequest(expected_version=3)
        with pytest.raises(Rejection) as rejection:
            await execute_after_copy(
                store, posts.EditPost(post_id=post.subject_id, title="It turns"), unkeyed
            )
        assert rejection.value.code is ErrorCode.VERSION_CONFLICT
