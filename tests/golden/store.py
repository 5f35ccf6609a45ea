"""The golden store: a data directory as an earlier version of the program wrote it, and what that version answered.

`store.tar.xz` holds the directory and the answers, `store.json` the digests. Both are final: a later version must serve
the views in it without a rebuild, and answer the same. `record_store.py` made them, with the code of 28 November 2026:

    .venv/bin/python -m tests.golden.record_store tests/golden
"""

import hashlib
import json
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ledgerpress.features.integrity import merkle_tree_projection as integrity
from ledgerpress.sqlite.connection import open_to_read
from ledgerpress.views.files.comparison import table_digests
from tests.integration.graphql_client import Client

ARCHIVE: Final = Path(__file__).with_name("store.tar.xz")
EXPECTED: Final = ARCHIVE.with_suffix("").with_suffix(".json")
LATER: Final = 1_764_000_000_000_000
"""The clock when the store is opened again: 2025-11-24, in microseconds since 1970, UTC."""
PAGES: Final = {"tide-mill": datetime(2025, 3, 4, tzinfo=UTC), "tram-line": datetime(2025, 4, 5, tzinfo=UTC)}
"""The pages in `tests/pages` that were imported, with the time of their retrieval."""

ARTICLE: Final = (
    "id slug title publishedAt updatedAt previousSlugs teaser body { html } categories { id } authors { id }"
)
POST: Final = (
    "id version status slug title teaser createdAt hasUnpublishedChanges body { markdown } categories { name }"
    " history(first: 50) { edges { cursor } nodes { version type } } blame { text }"
)
CHANGE: Final = (
    "position version type recordedAt withdrawn actor { id name } onBehalfOf { id } subject { id } occurredAt reason"
    " changedFields before after event"
)
QUERIES: Final = (
    "{ viewer { role } site { name version position } moment { position } }",
    f"{{ recentPosts(first: 50) {{ edges {{ cursor }} nodes {{ {ARTICLE} }} }} }}",
    f"{{ articles(first: 20, asOf: {{ position: 50 }}) {{ edges {{ cursor }} totalCount nodes {{ {ARTICLE} }} }} }}",
    f"{{ posts(first: 50) {{ edges {{ cursor }} totalCount nodes {{ {POST} }} }} }}",
    "{ categories(first: 50) { edges { cursor } nodes { id version slug name description parent { id } articleCount } } }",
    "{ authors(first: 50) { edges { cursor } nodes { id name } } }",
    f"{{ changes(first: 70, orderBy: OLDEST) {{ edges {{ cursor }} totalCount nodes {{ {CHANGE} }} }} }}",
    f"{{ changes(last: 70, orderBy: OLDEST) {{ edges {{ cursor }} nodes {{ {CHANGE} }} }} }}",
    "{ tokens(first: 50) { nodes { id name role } } }",
    "{ projections { name state checkpoint digest { position sha256 } } }",
)

REPEATED: Final[dict[str, dict[str, Any]]] = {
    "postCreate": {
        "idempotencyKey": "golden-1",
        "reason": "So that it can be repeated.",
        "title": "Bridge “closed”",
        "teaser": "For a week.",
        "body": "From *Monday* on.\n",
        "categories": [{"slug": "night"}],
        "publish": True,
        "publishedAt": "2024-05-05T10:00:00Z",
    },
    "categoryCreate": {"idempotencyKey": "golden-2", "name": "Harbour", "parent": {"slug": "town"}},
    "siteName": {"idempotencyKey": "golden-3", "expectedVersion": 1, "name": "The Tide Daily"},
    "authorRegister": {"idempotencyKey": "golden-4", "name": "Cy Holm"},
}
"""Commands with an idempotency key: their mutations and inputs."""


def unpack(target: Path) -> tuple[Path, dict[str, Any]]:
    """Unpack the store; return its data directory and the answers of the version that wrote it."""
    with tarfile.open(ARCHIVE) as archive:
        if hasattr(tarfile, "data_filter"):  # from Python 3.11.4 on
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(target)
    return target / "data", json.loads((target / "answers.json").read_bytes())


def tables(views: Path) -> dict[str, list[Any]]:
    """Return how many rows each table of a views file has, and the SHA-256 of all of them."""
    with closing(open_to_read(views)) as db:
        return {name: [digest.rows, digest.sha256] for name, digest in table_digests(db).items()}


async def _leaves(client: Client) -> str:
    """Return the SHA-256 of all events in the log: their headers, payloads and salts."""
    digest = hashlib.sha256()
    for event in await client.store.log.read(0, 10_000):
        payload = event.payload
        digest.update(event.header.leaf() + (payload.plaintext + payload.salt if payload else b"gone"))
    return digest.hexdigest()


async def answers(client: Client) -> dict[str, Any]:
    """Return the store's answers by query."""
    return {query: await client.ask(query) for query in QUERIES}


async def state(client: Client) -> dict[str, Any]:
    """Return how far log and views have come, and their digests."""
    with client.store.snapshot() as snapshot:
        root = integrity.root(snapshot).hex()
    return {
        "position": await client.store.log.head(),
        "root": root,
        "log": await _leaves(client),
        "views": client.store.views.path.name,
    }


async def repeat(client: Client) -> dict[str, Any]:
    """Carry out the commands that have an idempotency key, and return their payloads."""
    return {mutation: await client.do(mutation, **given) for mutation, given in REPEATED.items()}
