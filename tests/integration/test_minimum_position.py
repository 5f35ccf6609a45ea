"""`LedgerPress-Min-Position` waits, up to a limit, so that a client never sees an older position."""

import logging
from pathlib import Path

import httpx2
import pytest

from ledgerpress.http.graphql_over_http_settings import HttpSettings
from tests.integration.failing_projectors import with_failing
from tests.integration.graphql_client import Client, client

pytestmark = pytest.mark.usefixtures("workers")

POSTS = "{ posts(first: 10) { totalCount } }"
HEADERS = {"Accept": "application/graphql-response+json"}


async def ask(api: Client, header: str | None = None, extension: object = None) -> httpx2.Response:
    headers = HEADERS if header is None else HEADERS | {"LedgerPress-Min-Position": header}
    request = {"query": POSTS, "extensions": {"minPosition": extension}}
    return await api.http.post("/graphql", json=request, headers=headers)


def code(response: httpx2.Response) -> tuple[int, str]:
    (error,) = response.json()["errors"]
    return response.status_code, error["extensions"]["code"]


async def test_another_process_shows_a_write_at_its_position(tmp_path: Path) -> None:
    data = tmp_path / "store"
    async with client(data) as writer, client(data) as reader:
        for number in range(1, 21):
            position = (await writer.do("postCreate", title=f"Number {number}"))["position"]
            response = await (ask(reader, str(position)) if number % 2 else ask(reader, extension=position))
            assert response.json() == {"data": {"posts": {"totalCount": number}}}
            assert int(response.headers["ledgerpress-position"]) >= position


async def test_a_read_fails_with_views_behind_after_the_limit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "ledgerpress.views.projection")
    projectors = with_failing("posts", lambda recorded: recorded.header.type == "post.created")
    settings = HttpSettings(min_position_seconds=0.1)
    async with client(tmp_path / "store", settings=settings, projectors=projectors) as api:
        result = await api.do("postCreate", title="One")
        assert result["viewsBehind"]
        response = await ask(api, str(result["position"]))
        assert code(response) == (503, "VIEWS_BEHIND")
        assert response.headers["retry-after"] == "60"
        assert "paused" in response.json()["errors"][0]["message"]
        position = int(response.headers["ledgerpress-position"])
        assert position < result["position"]
        assert str(position) in response.json()["errors"][0]["message"]
        assert (await ask(api, str(position))).status_code == 200


async def test_a_position_beyond_the_head_is_rejected_immediately(tmp_path: Path) -> None:
    settings = HttpSettings(min_position_seconds=600.0)
    async with client(tmp_path / "store", settings=settings) as api:
        head = await api.store.log.head()
        for response in (
            await ask(api, str(head + 1)),
            await ask(api, extension=2**53 - 1),
            await ask(api, "0", head + 1),
        ):
            assert code(response) == (400, "NO_SUCH_POSITION")
            assert str(head) in response.json()["errors"][0]["message"]


async def test_an_invalid_position_is_rejected(tmp_path: Path) -> None:
    async with client(tmp_path / "store") as api:
        for header in ("", "-1", "1.5", "0x1", "ten", "1, 2", "9" * 17, str(2**53)):
            assert code(await ask(api, header)) == (400, "BAD_REQUEST"), header
        extensions: tuple[object, ...] = ("1", 1.5, -1, True, [], {}, 2**53)
        for extension in extensions:
            assert code(await ask(api, extension=extension)) == (400, "BAD_REQUEST"), extension
