"""The client for tests of features: its clock, its identities, and its verification of views."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

import ledgerpress_factcheck
from ledgerpress.feature import FeatureSet, Rejection, Role
from ledgerpress.features.posts import CreatePost
from ledgerpress.features.registry import FIRST_PARTY
from ledgerpress.testing import StoreClient, open_client
from ledgerpress_factcheck.commands import CHECK, CheckPost


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[StoreClient]:
    features = FeatureSet(FIRST_PARTY, third_party=[ledgerpress_factcheck.FEATURE])
    async with open_client(features, tmp_path / "data") as opened:
        yield opened


async def test_time_passes_when_the_clock_is_advanced(client: StoreClient) -> None:
    before = client.now
    assert client.now == before
    client.advance(3_600)
    await client.command(CreatePost(title="Tide"))
    (created,) = await client.store.log.read(await client.store.log.head() - 1, 1)
    assert before + 3_600_000_000 < created.header.recorded_at <= client.now


async def test_an_identity_has_the_permissions_of_its_role_within_its_scopes(client: StoreClient) -> None:
    editor, narrowed = client.identity(Role.EDITOR), client.identity(Role.EDITOR, scopes=["posts:write"])
    assert editor.may(CHECK)
    assert editor.may("posts:read")
    assert narrowed.permissions == {"posts:write"}
    assert editor.actor_id not in {None, client.identity(Role.AUTHOR).actor_id}


async def test_a_command_has_a_reason_and_an_expected_version(
    client: StoreClient,
) -> None:
    post = await client.create(CreatePost(title="Tide"))
    with pytest.raises(Rejection, match="version 2, but the current version is 1"):
        await client.command(CheckPost(post, True, ""), expected_version=2)
    await client.command(CheckPost(post, True, ""), expected_version=1, reason="The desk asked.")
    changes = await client.graphql("{ changes(first: 1) { nodes { reason } } }")
    assert changes["changes"]["nodes"] == [{"reason": "The desk asked."}]


async def test_views_that_differ_from_the_log_are_detected(client: StoreClient) -> None:
    await client.command(CheckPost(await client.create(CreatePost(title="Tide")), True, ""))
    assert await client.verify() == {}
    with closing(sqlite3.connect(client.store.views.path)) as views:
        views.execute("DELETE FROM x_factcheck_check")
        views.commit()
    with pytest.raises(AssertionError, match="rebuilt views differ in x_factcheck_check"):
        await client.verify()
