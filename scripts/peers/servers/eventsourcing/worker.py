"""Saves aggregates with the library eventsourcing, in SQLite.

Usage: python worker.py DIRECTORY, with lines KIND SECONDS on the input; prints UNITS SECONDS for each.
"""

import sys
import time
from pathlib import Path

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

BATCH = 100


class Post(Aggregate):
    @event("Created")
    def __init__(self, slug: str, title: str, teaser: str, body: str) -> None:
        self.slug, self.title, self.teaser, self.body = slug, title, teaser, body

    @event("Edited")
    def edit(self, title: str) -> None:
        self.title = title


class Posts(Application):
    pass


def main(directory: Path) -> None:
    posts = Posts(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(directory / "eventsourcing.db"),
        }
    )
    body = "The council met again in March. " * 60
    edited = Post(slug="edited", title="Edited", teaser="", body="")
    number = 0
    print("ready", flush=True)
    for line in sys.stdin:
        kind, seconds = line.split()
        units, started = 0, time.perf_counter()
        while (now := time.perf_counter()) < started + float(seconds):
            if kind == "one":
                number += 1
                posts.save(Post(slug=f"post-{number}", title=f"Post {number}", teaser="About it.", body=body))
                units += 1
            else:
                for _ in range(BATCH):
                    number += 1
                    edited.edit(title=f"Post {number}")
                posts.save(edited)
                units += BATCH
        print(units, now - started, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
