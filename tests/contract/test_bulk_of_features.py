"""Bulk requests run mutations of third-party features, with the inputs, events and guards that these add to others."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

import ledgerpress_factcheck
from ledgerpress.feature import FeatureSet, Role
from ledgerpress.features.posts import CreatePost
from ledgerpress.features.registry import FIRST_PARTY
from ledgerpress.testing import StoreClient, open_client

BULK: Final = """
mutation ($input: BulkInput!) {
  bulk(input: $input) {
    results {
      userErrors { code field }
      ... on PostPayload { post { title status article { factChecks { passed note } } } }
    }
    userErrors { code }
  }
}
"""


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[StoreClient]:
    features = FeatureSet(FIRST_PARTY, third_party=[ledgerpress_factcheck.FEATURE])
    async with open_client(features, tmp_path / "data") as opened:
        yield opened


def request(mode: str, *commands: dict[str, Any]) -> dict[str, Any]:
    return {"input": {"mode": mode, "commands": list(commands)}}


async def test_commands_see_events_and_guards_of_commands_before(client: StoreClient) -> None:
    post = client.global_id("Post", await client.create(CreatePost(title="Tide")))
    other = client.global_id("Post", await client.create(CreatePost(title="Ebb")))
    head = await client.store.log.head()
    check = {"id": post, "check": {"passed": False, "note": "Doubtful."}}
    publish = {"postPublish": {"id": post}}
    for commands, errors in (
        (({"postCheck": check}, publish), [["NOT_EXECUTED"], ["X_FACTCHECK_FAILED"]]),
        (
            ({"postEdit": {"id": post, "teaser": "Soon."}}, {"postCheck": check}, publish),
            [["NOT_EXECUTED"], ["NOT_EXECUTED"], ["X_FACTCHECK_FAILED"]],
        ),
    ):
        results = (await client.graphql(BULK, request("ATOMIC", *commands)))["bulk"]["results"]
        assert [[error["code"] for error in result["userErrors"]] for result in results] == errors
        assert await client.store.log.head() == head
    passed = {"id": post, "check": {"passed": True, "note": "Right."}}
    results = (
        await client.graphql(
            BULK,
            request(
                "ATOMIC",
                {"postPublish": {"id": other}},  # guards a stream that no command writes
                {"postCheck": check},
                {"postCheck": passed},
                publish,
                {
                    "postCreate": {
                        "title": "Flow",
                        "publish": True,
                        "factCheck": {"passed": True, "note": "New."},
                    }
                },
            ),
        )
    )["bulk"]["results"]
    assert [result["userErrors"] for result in results] == [[]] * 5
    checks = [{"passed": False, "note": "Doubtful."}, {"passed": True, "note": "Right."}]
    assert results[3]["post"]["article"] == {"factChecks": checks}
    assert results[4]["post"]["article"] == {"factChecks": [{"passed": True, "note": "New."}]}
    assert await client.verify() == {}


async def test_a_permission_that_follows_from_the_content_is_required(client: StoreClient) -> None:
    author = client.identity(Role.AUTHOR)
    plain = {"postCreate": {"title": "Tide"}}
    checked = {"postCreate": {"title": "Ebb", "factCheck": {"passed": True}}}
    head = await client.store.log.head()
    answer = await client.post(BULK, request("ATOMIC", plain, checked), identity=author)
    assert [error["extensions"]["code"] for error in answer.errors] == ["FORBIDDEN"]
    assert await client.store.log.head() == head
    data = await client.graphql(BULK, request("INDIVIDUAL", plain, checked, plain), identity=author)
    errors = [[error["code"] for error in result["userErrors"]] for result in data["bulk"]["results"]]
    assert errors == [[], ["FORBIDDEN"], []]
