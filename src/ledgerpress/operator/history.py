"""Read the history of a post or a category: each change with its differences, newest first."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.graphql.executor import Executor
from ledgerpress.operator import TaskFailed
from ledgerpress.server.store import Store, open_store

PAGE: Final = 20
"""Changes per query. Each may contain the body before and after the change, of up to 256 KiB."""
_QUERY: Final = """
query ($slug: String!, $first: Int!, $after: String) {
  %s(slug: $slug) { history(first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      position version type recordedAt occurredAt reason changedFields before after withdrawn
      actor { id kind name } onBehalfOf { id kind name }
    }
  } }
}
"""


async def changes_of(
    data: Path, log: str, slug: str, *, features: FeatureSet = FEATURES
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the changes of the post with this slug; if there is none, the changes of the category with this slug.

    Raises `LogUnusable`, and `TaskFailed` if the query fails.
    """
    async with open_store(data, log=log, features=features, create=False) as store:
        for kind in ("post", "category"):
            is_found = False
            async for change in _changes(store, kind, slug):
                yield change
                is_found = True
            if is_found:
                return


async def _changes(store: Store, kind: str, slug: str) -> AsyncGenerator[dict[str, Any], None]:
    executor = Executor(store.features.graphql_schema())
    after: str | None = None
    while True:
        variables = {"slug": slug, "first": PAGE, "after": after}
        response = await executor.execute_document(store, _QUERY % kind, variables=variables)
        if response.body.get("errors"):
            raise TaskFailed(response.body["errors"][0]["message"])
        subject = response.body["data"][kind]
        if subject is None:
            return
        page = subject["history"]
        for change in page["nodes"]:
            yield change
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]
