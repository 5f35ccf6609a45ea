"""A follower of a store: `library_follower_program.py DATA DATABASE EFFECTS [POSITION MOMENT]`, for tests that kill it.

For each event it adds a line to the file EFFECTS, as for a system without transactions. Then it writes a row and the
position in one transaction, and prints the position. At POSITION it kills itself at the MOMENT `before` the line,
`between` the line and the transaction, or `after` the transaction.
"""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import ledgerpress


async def follow(data: str, database: str, effects: Path, kill_at: int, moment: str) -> None:
    def reach(position: int, reached: str) -> None:
        if (position, reached) == (kill_at, moment):
            os.kill(os.getpid(), signal.SIGKILL)

    async with ledgerpress.open_store(data, features=[], create=False) as store:
        with closing(sqlite3.connect(database)) as db, effects.open("a") as lines:
            db.execute("PRAGMA synchronous = OFF")  # the process is killed, not the machine
            db.execute("CREATE TABLE IF NOT EXISTS handled (position INTEGER PRIMARY KEY, event_id TEXT)")
            db.execute("CREATE TABLE IF NOT EXISTS checkpoint (id INTEGER PRIMARY KEY, position INTEGER)")
            saved = db.execute("SELECT position FROM checkpoint").fetchone()
            async for recorded in store.follow(after=saved[0] if saved else 0):
                reach(recorded.position, "before")
                lines.write(f"{recorded.position}\n")
                lines.flush()
                reach(recorded.position, "between")
                with db:
                    row = (recorded.position, recorded.header.event_id)
                    db.execute("INSERT INTO handled VALUES (?, ?)", row)  # fails if an event is handled twice
                    db.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?)", (recorded.position,))
                reach(recorded.position, "after")
                sys.stdout.write(f"{recorded.position}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    _, data, database, effects, *rest = sys.argv
    position, moment = (int(rest[0]), rest[1]) if rest else (0, "")
    asyncio.run(follow(data, database, Path(effects), position, moment))
