"""Write an article, show the front page, then count publications until Ctrl+C: `publications.py DATA DATABASE`."""

import asyncio
import sqlite3
import sys
from contextlib import closing

import ledgerpress

COUNT = "INSERT INTO publications VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1"


async def main(data: str, database: str) -> None:
    async with ledgerpress.open_store(data) as store:
        command = ledgerpress.CreatePost(title="The tide mill", body="It turns.", publish=True)
        result = await store.execute(command, reason="First import", idempotency_key="tide-mill")
        if isinstance(result, ledgerpress.Rejection):
            raise result
        query = "{ recentPosts(first: 3) { nodes { title } } }"
        front_page = await store.graphql(query, identity=ledgerpress.ANONYMOUS)
        print(front_page.data)
        await count_publications(store, database)


async def count_publications(store: ledgerpress.OpenStore, database: str) -> None:
    with closing(sqlite3.connect(database)) as db:
        db.execute("CREATE TABLE IF NOT EXISTS publications (post_id TEXT PRIMARY KEY, times INTEGER)")
        db.execute("CREATE TABLE IF NOT EXISTS checkpoint (id INTEGER PRIMARY KEY, position INTEGER)")
        saved = db.execute("SELECT position FROM checkpoint").fetchone()
        async for recorded in store.follow(after=saved[0] if saved else 0):
            with db:  # one transaction: the count, and the position up to which events are counted
                if isinstance(recorded.event, ledgerpress.PostPublished):
                    db.execute(COUNT, (recorded.event.post_id,))
                db.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?)", (recorded.position,))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
