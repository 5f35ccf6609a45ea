"""A command is sent twice at once, and its copy is carried out just when this one is about to be decided."""

from pathlib import Path

import pytest

from ledgerpress.application import posts
from ledgerpress.application.desk import Desk, Plan
from ledgerpress.application.request import Outcome, Request
from ledgerpress.compose.store import Store, open_store
from ledgerpress.domain.rejection import ErrorCode, Rejected
from tests.sources import SeededBytes, SetClock


async def overtaken(store: Store, original: posts.EditPost, request: Request) -> tuple[Outcome, Outcome]:
    """Return what comes of a command, first of its copy, then of itself."""
    copies: list[Outcome] = []

    class EditPost(posts.EditPost):
        queue = None  # as in another process, which the copy does not wait for

        async def plan(self, desk: Desk) -> Plan:
            if not copies:
                copies.append(await store.press.handle(original, request))
            return await super().plan(desk)

    late = EditPost(post_id=original.post_id, title=original.title)
    outcome = await store.press.handle(late, request)
    return copies[0], outcome


@pytest.mark.parametrize(
    "expected_version", [None, 2], ids=["nothing is left to do", "the version has moved on"]
)
async def test_a_command_whose_copy_was_quicker_answers_as_the_copy_did(
    tmp_path: Path, expected_version: int | None
) -> None:
    async with open_store(tmp_path / "data", clock=SetClock(), randomness=SeededBytes()) as store:
        post = await store.press.handle(posts.CreatePost(title="Tide mill", publish=True))
        edit = posts.EditPost(post_id=post.subject_id, title="Tide mill reopens")
        keyed = Request(idempotency_key="once", expected_version=expected_version)
        copy, outcome = await overtaken(store, edit, keyed)
        assert (copy.replayed, outcome.replayed) == (False, True)
        assert outcome.position == copy.position == await store.log.head()

        unkeyed = Request(expected_version=3)
        with pytest.raises(Rejected) as refused:
            await overtaken(store, posts.EditPost(post_id=post.subject_id, title="It turns"), unkeyed)
        assert refused.value.code is ErrorCode.VERSION_CONFLICT
