"""A withdrawal makes nothing public: the text of a draft does not take the place of an erased text."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR
from ledgerpress.operator.withdraw import withdraw_from
from tests.integration.graphql_client import Client, client

pytestmark = pytest.mark.usefixtures("workers")

PUBLIC = {"title": "Public title", "teaser": "Public teaser", "body": "Public body"}
DRAFT = {"title": "Draft title", "teaser": "Draft teaser", "body": "Draft body"}
ERASED = {"title": "Erased title", "teaser": "Erased teaser", "body": "Erased body"}
QUERY = """
query ($asOf: AsOf) {
  articles(first: 10, asOf: $asOf) { nodes { title teaser body { markdown html } } }
  recentPosts(first: 10, asOf: $asOf) { nodes { title teaser } }
}
"""
PATHS = ("/", "/articles/report", "/articles/report/history", "/feeds/articles.atom", "/feeds/articles.json")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Client]:
    async with client(tmp_path / "site", public_history=True, open_past=True) as api:
        yield api


async def seen(api: Client, position: int | None = None) -> str:
    """Return all that the public sees, now or as of a position."""
    suffix = "" if position is None else f"?asOf={position}"
    as_of = None if position is None else {"position": position}
    with api.acting_as(ANONYMOUS):
        answer = str(await api.ask(QUERY, asOf=as_of))
        pages = [(await api.http.get(path + suffix)).text for path in PATHS]
    return "\n".join([answer, *pages])


async def edited(api: Client, id: str, **values: Any) -> int:
    """Edit a post and publish it; return the position of the edit."""
    return int((await api.do("postEdit", id=id, publish=True, **values))["position"]) - 1


@pytest.mark.parametrize("was_public", [True, False])
async def test_the_text_of_a_draft_does_not_take_the_place_of_an_erased_text(
    site: Client, tmp_path: Path, was_public: bool
) -> None:
    first = PUBLIC if was_public else DRAFT
    id = (await site.write(slug="report", publish=was_public, **first))["id"]
    if was_public:
        await site.do("postEdit", id=id, **DRAFT)
    erased = await edited(site, id, **ERASED)
    later = await edited(site, id, slug="report-2")
    await site.do("postEdit", id=id, slug="report", publish=True)
    assert "Erased body" in await seen(site)

    await withdraw_from(site.store, tmp_path / "site", erased, "A court's order.")
    for position in (None, erased + 1, later, later + 1):
        text = await seen(site, position)
        assert "Erased" not in text
        assert "Draft" not in text
        assert ("Public body" in text) is was_public
        assert ("Public title" in text) is was_public
    with site.acting_as(LOCAL_OPERATOR):
        post = await site.ask("query ($id: ID!) { post(id: $id) { title body { markdown } } }", id=id)
    assert post["post"] == {"title": "Draft title", "body": {"markdown": "Draft body"}}


async def test_a_draft_that_an_editor_publishes_after_a_withdrawal_is_public(
    site: Client, tmp_path: Path
) -> None:
    id = (await site.write(slug="report", publish=True, **PUBLIC))["id"]
    await site.do("postEdit", id=id, **DRAFT)
    erased = await edited(site, id, **ERASED)
    await withdraw_from(site.store, tmp_path / "site", erased, "A court's order.")
    await site.do("postEdit", id=id, title="New title", publish=True)
    text = await seen(site)
    assert "New title" in text
    assert "Draft body" in text
    assert "Draft" not in await seen(site, erased + 1)


async def test_text_that_replaces_the_erased_text_is_public(site: Client, tmp_path: Path) -> None:
    id = (await site.write(slug="report", publish=True, **PUBLIC))["id"]
    await site.do("postEdit", id=id, **DRAFT)
    erased = await edited(site, id, **ERASED)
    await edited(site, id, body="Later body")
    await withdraw_from(site.store, tmp_path / "site", erased, "A court's order.")
    text = await seen(site)
    assert "Later body" in text
    assert "Public title" in text
    assert "Draft" not in text
