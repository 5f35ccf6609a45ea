"""The contract suite for the fact checks, on each engine."""

from pathlib import Path
from typing import Final

import pytest

import ledgerpress_factcheck
from ledgerpress.features.posts import CreatePost, PublishPost, UnpublishPost
from ledgerpress.testing import Check, FeatureContract, StoreClient
from ledgerpress_factcheck.commands import CheckPost


async def scenario(client: StoreClient) -> dict[str, str]:
    post = await client.create(CreatePost(title="Tide", body="Low."))
    check = {"id": client.global_id("Post", post), "check": {"passed": False, "note": "Nobody measured it."}}
    await client.mutate("postCheck", check)
    await client.command(PublishPost(post_id=post), rejected="X_FACTCHECK_FAILED")
    await client.command(CheckPost(post, True, "Measured at noon."))
    await client.command(PublishPost(post_id=post))
    first = {"title": "Ebb", "publish": True, "factCheck": {"passed": True, "note": "It is on the chart."}}
    await client.mutate("postCreate", first)
    await client.mutate(
        "postCreate", {**first, "factCheck": {"passed": False}}, rejected="X_FACTCHECK_FAILED"
    )
    await client.command(UnpublishPost(post_id=post))
    return {"article": client.global_id("Article", post)}


CONTRACT: Final = FeatureContract(
    ledgerpress_factcheck.FEATURE,
    scenario=scenario,
    queries=[
        "query ($article: ID!) { article(id: $article) { title factChecks { passed note } } }",
        "{ checkedArticles { totalCount nodes { title factChecks { note } } } }",
    ],
    pages=["/", "/factchecks"],
)


@pytest.mark.parametrize("check", CONTRACT.checks, ids=str)
def test_contract(check: Check, tmp_path: Path, log_url: str) -> None:
    check.run(tmp_path, log=log_url)
