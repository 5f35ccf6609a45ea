"""Run a scenario on a store with the source code on the Python path: `python -m … NAME DIRECTORY`.

Prints the results as JSON.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from tests.integration.graphql_client import Client, client

HISTORY: Final = "history(orderBy: OLDEST, first: 20) { nodes { type version changedFields } }"


async def write(api: Client) -> Any:
    """Create the post that the other scenarios use, with the unchanged source."""
    return await done(api, "postCreate", title="Old", body="Text.", publish=True)


async def subtitle(api: Client) -> Any:
    """Give an old and a new post subtitles; change, clear and revert the subtitle of the new post."""
    old = (await api.ask('{ post(slug: "old") { id subtitle article { subtitle } } }'))["post"]
    new = await done(api, "postCreate", "post { id }", title="New", subtitle="First", publish=True)
    post_id = new["post"]["id"]
    for_old = await done(api, "postEdit", "post { subtitle }", id=old["id"], subtitle="Late", publish=True)
    edited = await done(api, "postEdit", "post { version }", id=post_id, subtitle="Second")
    await done(api, "postEdit", id=post_id, subtitle=None)
    reverted = await done(
        api, "postRevert", "post { subtitle }", id=post_id, version=edited["post"]["version"] + 1
    )
    query = (
        "query ($id: ID!, $then: Position!) { now: post(id: $id) { subtitle article { subtitle } " + HISTORY
        + " diff(from: 1, to: 3) { subtitle { before after } } }"
        " then: post(id: $id, asOf: { position: $then }) { subtitle } }"
    )  # fmt: skip
    read = await api.ask(query, id=post_id, then=edited["position"])
    return {"old": old, "forOld": for_old, "reverted": reverted, **read}


async def pin(api: Client) -> Any:
    """Pin an old post twice."""
    old = (await api.ask('{ post(slug: "old") { id version } }'))["post"]
    first = await done(api, "postPin", "post { version }", id=old["id"])
    again = await done(api, "postPin", "post { version }", id=old["id"])
    history = await api.ask("query ($id: ID!) { post(id: $id) { " + HISTORY + " } }", id=old["id"])
    return {"before": old, "first": first, "again": again, **history}


async def done(api: Client, mutation: str, selection: str = "post { id }", **values: Any) -> Any:
    """Run a mutation, which must succeed."""
    result = await api.do(mutation, selection, **values)
    assert not result["userErrors"], result
    return result


SCENARIOS: Final[dict[str, Callable[[Client], Awaitable[Any]]]] = {
    "write": write,
    "subtitle": subtitle,
    "pin": pin,
}


async def main(name: str, directory: str) -> None:
    async with client(Path(directory)) as api:
        sys.stdout.write(json.dumps(await SCENARIOS[name](api)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
