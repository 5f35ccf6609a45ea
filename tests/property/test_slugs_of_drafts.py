"""Slugs of posts, for any sequence of commands: which post owns which slug, and when a slug follows the title."""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from ledgerpress.commands.errors import Rejection
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost, EditPost
from ledgerpress.features.posts.lifecycle_commands import (
    ArchivePost,
    PublishPost,
    UnarchivePost,
    UnpublishPost,
)
from ledgerpress.features.posts.model import POSTS, Post, PostStatus
from ledgerpress.features.posts.restore_version_and_revert_change_commands import RestorePost, RevertPost
from ledgerpress.features.slugs.model import SlugClaimed, SlugReleased, is_derived
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot
from tests.fixed_sources import SeededBytes, SetClock

Step: TypeAlias = tuple[str, int, Any, Any]

EXAMPLES: Final = int(os.environ.get("LEDGERPRESS_TEST_EXAMPLES", "40"))
POSTS_AT_MOST: Final = 3
LIFECYCLE: Final[dict[str, Any]] = {
    "archive": ArchivePost,
    "unarchive": UnarchivePost,
    "publish": PublishPost,
    "unpublish": UnpublishPost,
}
_titles = st.sampled_from(("Mill", "Mill!", "Night", "Mill 2", "🎈"))
_slugs = st.sampled_from((UNSET, UNSET, UNSET, None, "mill", "mill-2", "night"))
_posts = st.integers(0, POSTS_AT_MOST - 1)
steps: Final[st.SearchStrategy[Step]] = st.one_of(
    st.tuples(st.just("create"), _posts, _titles, st.sampled_from((None, None, "mill", "night"))),
    st.tuples(st.just("edit"), _posts, st.just(UNSET) | _titles, _slugs),
    st.tuples(st.sampled_from(("restore", "revert")), _posts, st.integers(1, 8), st.none()),
    st.tuples(st.sampled_from(("archive", "unarchive")), _posts, st.none(), st.none()),
    st.tuples(st.sampled_from(("publish", "unpublish")), _posts, st.none(), st.none()),
)


@settings(max_examples=EXAMPLES, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=5, max_size=25))
def test_slugs_are_unique_and_those_of_drafts_follow_the_title(chosen: list[Step]) -> None:
    asyncio.run(_holds(chosen))


async def _holds(chosen: Sequence[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        async with open_store(data, clock=SetClock(), randomness=SeededBytes()) as store:
            ids: list[str] = []
            by_slug: list[dict[str, str]] = []
            for step in chosen:
                command = _command(step, ids)
                if command is None:
                    continue
                try:
                    result = await store.commands.handle(command)
                except Rejection:
                    continue
                if isinstance(command, CreatePost):
                    ids.append(result.subject_id)
                posts = [await _post(store, post_id) for post_id in ids]
                owners = await _owners(store)
                _check(posts, owners)
                with store.snapshot() as snapshot:
                    by_slug += [owners] * (snapshot.position - len(by_slug))
                    _check_views(snapshot, owners)
            # An append ends at its last position; a result as of it is that of a store that stops there.
            with store.snapshot() as snapshot:
                for position in {len(by_slug)} | {
                    at + 1 for at in range(len(by_slug) - 1) if by_slug[at] is not by_slug[at + 1]
                }:
                    if position:
                        _check_views(Snapshot(snapshot.db, position), by_slug[position - 1])


def _command(step: Step, ids: Sequence[str]) -> Any:
    kind, number, first, second = step
    if kind == "create":
        return CreatePost(title=first, slug=second) if len(ids) < POSTS_AT_MOST else None
    if not ids:
        return None
    post_id = ids[number % len(ids)]
    match kind:
        case "edit":
            return EditPost(post_id=post_id, title=first, slug=second)
        case "restore":
            return RestorePost(post_id=post_id, to_version=first)
        case "revert":
            return RevertPost(post_id=post_id, version=first)
        case _:
            return LIFECYCLE[kind](post_id=post_id)


async def _post(store: Store, post_id: str) -> Post:
    post = POSTS.initial
    for recorded in store.codec.decode_all(await store.log.read_stream(POSTS.stream(post_id))):
        post = POSTS.evolve(post, recorded.event)
    assert post
    return post


async def _owners(store: Store) -> dict[str, str]:
    """Return the owner of each slug, from the events of the slugs alone."""
    owners: dict[str, str] = {}
    for recorded in store.codec.decode_all(await store.log.read(0, 10_000)):
        match recorded.event:
            case SlugClaimed(slug=slug, owner_id=owner_id):
                assert slug not in owners
                owners[slug] = owner_id
            case SlugReleased(slug=slug, owner_id=owner_id):
                assert owners.pop(slug) == owner_id
            case _:
                pass
    return owners


def _check(posts: Sequence[Post], owners: dict[str, str]) -> None:
    for post in posts:
        is_archived_draft = post.lifecycle.status is PostStatus.ARCHIVED and not post.was_published
        assert post.has_slug is not is_archived_draft
        own = {slug for slug, owner in owners.items() if owner == post.id}
        assert own == post.published_slugs | ({post.content.slug} if post.has_slug else set())
        if post.slug_derived and not post.was_published and post.has_slug:
            assert is_derived(post.content.slug, post.content.title, fallback="post")


def _check_views(snapshot: Snapshot, owners: dict[str, str]) -> None:
    for slug in {*owners, "mill", "mill-2", "mill-3", "night", "post"}:
        post = post_queries.by_slug(snapshot, slug)
        assert (post and post.id) == owners.get(slug), slug
