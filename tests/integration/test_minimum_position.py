"""A client that has seen a position sees no older one: `LedgerPress-Min-Position` waits, within a bound."""

import logging
from pathlib import Path

import httpx2
import pytest

from ledgerpress.http.graphql_over_http_settings import HttpSettings
from tests.integration.failing_projectors import with_failing
from tests.integration.graphql_client import Client, client

POSTS = "{ posts(first: 10) { totalCount } }"
HEADERS = {"Accept": "application/graphql-response+json"}


async def ask(door: Client, header: str | None = None, extension: object = None) -> httpx2.Response:
    headers = HEADERS if header is None else HEADERS | {"LedgerPress-Min-Position": header}
    request = {"query": POSTS, "extensions": {"minPosition": extension}}
    return await door.http.post("/graphql", json=request, headers=headers)


def code(answer: httpx2.Response) -> tuple[int, str]:
    (error,) = answer.json()["errors"]
    return answer.status_code, error["extensions"]["code"]


async def test_another_process_shows_what_was_written_here(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as writer, client(data) as reader:
        for number in range(1, 21):
            position = (await writer.do("postCreate", title=f"Number {number}"))["position"]
            answer = await (ask(reader, str(position)) if number % 2 else ask(reader, extension=position))
            assert answer.json() == {"data": {"posts": {"totalCount": number}}}
            assert int(answer.headers["ledgerpress-position"]) >= position


async def test_when_the_bound_passes_the_client_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "ledgerpress.views.projection")
    projectors = with_failing("posts", lambda recorded: recorded.header.type == "post.created")
    settings = HttpSettings(min_position_seconds=0.1)
    async with client(tmp_path / "store", settings=settings, projectors=projectors) as door:
        written = await door.do("postCreate", title="One")
        assert written["viewsBehind"]
        answer = await ask(door, str(written["position"]))
        assert code(answer) == (503, "VIEWS_BEHIND")
        assert answer.headers["retry-after"] == "60"
        assert "paused" in answer.json()["errors"][0]["message"]
        seen = int(answer.headers["ledgerpress-position"])
        assert seen < written["position"]
        assert str(seen) in answer.json()["errors"][0]["message"]
        assert (await ask(door, str(seen))).status_code == 200


async def test_a_position_that_the_log_does_not_have_is_refused_at_once(tmp_path: Path) -> None:
    settings = HttpSettings(min_position_seconds=600.0)
    async with client(tmp_path / "store", settings=settings) as door:
        head = await door.store.log.head()
        for answer in (
            await ask(door, str(head + 1)),
            await ask(door, extension=2**53 - 1),
            await ask(door, "0", head + 1),
        ):
            assert code(answer) == (400, "NO_SUCH_POSITION")
            assert str(head) in answer.json()["errors"][0]["message"]


async def test_what_is_no_position_is_refused(tmp_path: Path) -> None:
    async with client(tmp_path / "store") as door:
        for bad in ("", "-1", "1.5", "0x1", "ten", "1, 2", "9" * 17, str(2**53)):
            assert code(await ask(door, bad)) == (400, "BAD_REQUEST"), bad
        extensions: tuple[object, ...] = ("1", 1.5, -1, True, [], {}, 2**53)
        for extension in extensions:
            assert code(await ask(door, extension=extension)) == (400, "BAD_REQUEST"), extension
