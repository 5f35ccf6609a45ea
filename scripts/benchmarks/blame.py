"""Blame of a post with 10,000 versions of 2,000 words: the first request, and the request after one more version.

Each version changes, inserts or removes words of one paragraph; one in fifty moves a paragraph. The requests go through
the whole GraphQL layer, without a time limit. The plain model of the tests, which compares whole bodies, follows the
first versions; its time for all versions is estimated from that, and is too low, since later versions have more pieces.

Exits with 1 if the request after one more version takes more than a twentieth of the first one.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import uvloop

from ledgerpress.eventlog.clock_randomness_ids import uuid8
from ledgerpress.eventlog.envelope import SALT_BYTES
from ledgerpress.eventlog.log import StreamWrite
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.posts.model import POSTS, PostEdited
from ledgerpress.features.registry import graphql_schema
from ledgerpress.graphql.executor import Executor
from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.server.store import Store, open_store
from tests.property.whole_body_blame import WholeBody, follow_whole

CHECKOUT = Path(__file__).resolve().parent.parent.parent
WORDS = [
    "tide",
    "mill",
    "wheel",
    "turns",
    "again",
    "after",
    "forty",
    "years",
    "oiled",
    "night",
    "market",
    "opens",
    "late",
    "the",
    "of",
    "a",
    "in",
    "and",
]
PARAGRAPHS, WORDS_OF_PARAGRAPH = 25, 80
FRACTION = 20
TRANSACTION = 250
BLAME = "{ post(slug: %s) { blame { text version %s } } }"


def bodies(versions: int) -> Iterator[str]:
    """Yield the bodies of all versions."""
    random = Random(1)  # noqa: S311 - the same bodies in each run
    parts = [random.choices(WORDS, k=WORDS_OF_PARAGRAPH) for _ in range(PARAGRAPHS)]
    for number in range(versions):
        place = random.randrange(len(parts))
        if random.randrange(50) == 0:
            parts.insert(random.randrange(len(parts)), parts.pop(place))
        words = parts[place]
        at = random.randrange(len(words))
        removed = random.randrange(3) if len(words) >= WORDS_OF_PARAGRAPH else 0
        words[at : at + removed] = [f"{random.choice(WORDS)}{number}"]
        yield "\n\n".join(" ".join(words) for words in parts)


async def write_versions(store: Store, post: str, version: int, texts: Sequence[str]) -> None:
    """Record an edit of the post at stream version `version` for each text, without commands, and wait for the views."""
    head = 0
    for low in range(0, len(texts), TRANSACTION):
        events = tuple(
            store.codec.system_event(
                PostEdited(post_id=post, body=text),
                event_id=uuid8(post, version + number),
                command_id=uuid8(post, version + number, "command"),
                now=store.clock.now(),
                salt=bytes(SALT_BYTES),
            )
            for number, text in enumerate(texts[low : low + TRANSACTION])
        )
        head = await store.log.append([StreamWrite(POSTS.stream(post), version, events)])
        version += len(events)
    if not await store.views.wait_for(head, 600):
        raise TimeoutError("the views do not catch up")


async def ask(store: Store, executor: Executor, fields: str) -> float:
    """Return the seconds that a blame takes."""
    begun = time.perf_counter()
    result = await executor.execute_document(store, BLAME % ('"mill"', fields))
    if "errors" in result.body:
        raise RuntimeError(result.body["errors"])
    return time.perf_counter() - begun


async def measure(data: Path, versions: int, modelled: int) -> bool:
    *texts, last = bodies(versions + 1)
    executor = Executor(graphql_schema(), limits=Limits(seconds=None, field_cost=10**9, type_cost=10**9))
    async with open_store(data) as store:
        post = (await store.commands.handle(CreatePost(title="Mill", body=texts[0]))).subject_id
        await write_versions(store, post, 1, texts[1:])
        first = await ask(store, executor, "")
        again = await ask(store, executor, "")
        await write_versions(store, post, versions, [last])
        further = await ask(store, executor, "")
        complete = await ask(store, executor, "recordedAt reason actor { name }")
    begun, blamed = time.perf_counter(), WholeBody()
    for version, text in enumerate(texts[:modelled], 1):
        blamed = follow_whole(blamed, version, text)
    model = (time.perf_counter() - begun) * versions / min(modelled, versions)
    print(f"{versions:,} versions of {len(last.split()):,} words")
    print(f"first request                 {first:8.3f} s")
    print(f"the same request again        {again:8.3f} s  1/{first / again:.0f}")
    print(f"after one more version        {further:8.3f} s  1/{first / further:.0f}")
    print(f"with actors and reasons       {complete:8.3f} s  1/{first / complete:.0f}")
    print(f"whole bodies (estimated)      {model:8.3f} s  {model / first:.1f} times the first request")
    return further * FRACTION <= first


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--modelled", type=int, default=500, help="versions that the plain model follows")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT) as data:
        sys.exit(0 if uvloop.run(measure(Path(data) / "data", options.versions, options.modelled)) else 1)


if __name__ == "__main__":
    main()
