"""Pages as of past positions, and the marks of the time bar, against current pages: 10,000 changes of each page.

The front page and a category page changed with each of 10,000 posts, and an article was edited and published 10,000 times,
so its history and the page of corrections changed as often.
Requests go through the whole application, without a network. Past positions are distributed over the whole log. Nothing is
cached: before each request, what was remembered of earlier reads is forgotten, unless stated otherwise. Current and past pages alternate, and so do
the marks and the page that they belong to. A page in the second comparison has no time bar.

All times are processor times. Exits with 1 if the ratio of the medians misses its target: 2.5 for a past page, 5 for marks.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from starlette.types import ASGIApp, Message

from ledgerpress.commands.client_identity import ANONYMOUS, FixedIdentity
from ledgerpress.features.registry import graphql_schema, page_contributions
from ledgerpress.features.time_bar.marks import marks_of
from ledgerpress.http.app import make_app
from ledgerpress.http.pages.page_moment import current_moment
from ledgerpress.server.store import Store, open_store
from scripts.workloads.generated_posts import CATEGORIES, HOUR, START, Generator, make_categories, record

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PAST, MARKS = 2.5, 5.0
PAGES = {
    "front page": ("/", "/", {}),
    "category": ("/categories/section-1", "/categories/{slug}", {"slug": "section-1"}),
    "article": ("/articles/post-0", "/articles/{slug}", {"slug": "post-0"}),
    "history": ("/articles/post-0/history", "/articles/{slug}/history", {"slug": "post-0"}),
    "corrections": ("/corrections", "/corrections", {}),
}
"""The path of each page, and the path and the parameters of its route."""


class EarlyClock:
    """A clock that shows the time of the first generated event, so that recorded times rise through the whole log."""

    def now(self) -> int:
        return START


async def fill(store: Store, changes: int) -> None:
    """Publish posts so that the category has as many changes as posts, and edit one of them as often."""
    generator = Generator(await make_categories(store))
    # The posts with these numbers are all in the same category; the first one is in another.
    numbers = [0, *(1 + number * CATEGORIES for number in range(changes))]
    await record(store, (generator.post(number, START + number * HOUR) for number in numbers))
    for edit in range(changes):
        await store.log.append([generator.edit(0, 3 + 2 * edit, START)])
    if not await store.views.wait_for(await store.log.head(), timeout=3_600):
        raise SystemExit("the views did not catch up within an hour")


async def get(app: ASGIApp, path: str, query: str = "") -> int:
    """Request a page, and return its status."""
    status = 0

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1), "server": ("localhost", 80), "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    return status


def forget(store: Store) -> None:
    """Forget what was remembered of earlier reads."""
    with store.snapshot() as snapshot:
        if snapshot.remembered is not None:
            snapshot.remembered.clear()


async def cost(store: Store, app: ASGIApp, path: str, query: str = "", *, warm: bool = False) -> float:
    """Return the processor time of a page that must exist, in microseconds."""
    if not warm:
        forget(store)
    began = time.thread_time()
    status = await get(app, path, query)
    worked = time.thread_time() - began
    if status != 200:
        raise SystemExit(f"{path}?{query} has the status {status}")
    return worked * 1e6


def cost_of_marks(store: Store, changes: Callable[..., Any], parameters: dict[str, str]) -> tuple[float, int]:
    """Return the processor time of the marks of a page, in microseconds, and their number."""
    forget(store)
    with store.snapshot() as snapshot:
        moment = current_moment(store, snapshot)
        began = time.thread_time()
        marks = marks_of(snapshot, changes(moment, parameters))
        return (time.thread_time() - began) * 1e6, len(marks)


def show(title: str, costs: list[float], others: list[float], most: float) -> bool:
    """Print two medians and their ratio; return whether the ratio meets its target."""
    ratio = median(costs) / median(others)
    verdict = "" if ratio <= most else f"   MISSED: at most {most}"
    print(
        f"  {title:<42} {median(costs):7.0f} us, against {median(others):7.0f} us   ratio {ratio:.2f}{verdict}"
    )
    return ratio <= most


async def measure(changes: int, reads: int) -> bool:
    """Fill a store, measure its pages, and return whether every target is met."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as place:
        async with open_store(Path(place) / "store", clock=EarlyClock(), public_history=True) as store:
            await fill(store, changes)
            parts = page_contributions()
            of_page = {path: function for part in parts for path, function in part.changes.items()}
            apps = [
                make_app(
                    store,
                    graphql_schema(),
                    authenticator=FixedIdentity(ANONYMOUS),
                    pages=parts,
                    open_past=open_past,
                )
                for open_past in (True, False)
            ]
            head, met = await store.log.head(), []
            for name, (path, route, parameters) in PAGES.items():
                print(name)
                past, current, marks, pages, warm, warm_past = [], [], [], [], [], []
                number_of_marks = 0
                for number in range(reads):
                    # The first fifth of the log has the first posts, and the category of the page.
                    position = head // 5 + (head - head // 5) * (number * 7919 % reads) // reads
                    past.append(await cost(store, apps[0], path, f"asOf={position}"))
                    current.append(await cost(store, apps[0], path))
                    warm.append(await cost(store, apps[0], path, warm=True))
                    warm_past.append(await cost(store, apps[0], path, f"asOf={position}", warm=True))
                    pages.append(await cost(store, apps[1], path))
                    worked, number_of_marks = cost_of_marks(store, of_page[route], parameters)
                    marks.append(worked)
                met.append(show("past page, against the current page", past, current, PAST))
                met.append(show("the same, with remembered reads", warm_past, warm, PAST))
                met.append(
                    show(f"{number_of_marks} marks, against the page without a bar", marks, pages, MARKS)
                )
            print("all targets met" if all(met) else "a target was MISSED, see above")
            return all(met)


def main() -> None:
    """Measure, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--reads", type=int, default=200)
    options = parser.parse_args()
    sys.exit(0 if asyncio.run(measure(options.changes, options.reads)) else 1)


if __name__ == "__main__":
    main()
