"""The parts of `scripts/bench peers` that could be wrong without anyone noticing: ratios, agreement, the page."""

import json
import re
import socket
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from copy import deepcopy
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.benchmarks.peers import PAGE
from scripts.peers import agreement, newsroom, results
from scripts.peers.agreement import Disagreement
from scripts.peers.comparison import PEERS, after_changes
from scripts.peers.figures import Measurement, Rounds, Spread, ratios_within_rounds
from scripts.peers.graphql_peers import GraphQLPeer, LedgerPress
from scripts.peers.http_requests import Requests
from scripts.peers.installation import SERVERS
from scripts.peers.newsroom import Newsroom
from scripts.peers.page import page
from scripts.peers.results import Peer, Results
from scripts.workloads.raw_client import body_of, load

RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"slug": "a"'
CHUNKED = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"slu\r\n7\r\ng": "a"\r\n0\r\n\r\n'
REJECTED = b'HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n{"errors":[],"slug":1}'


# --- ratios and spreads -------------------------------------------------------------------------------


def test_a_ratio_is_computed_within_each_round() -> None:
    # The machine is ten times slower in the second round; the ratio of the medians would be 5.
    rounds = Rounds()
    for ours, theirs in ((100.0, 50.0), (10.0, 5.0), (100.0, 20.0)):
        rounds.add("ours", Measurement(ours, 0.001))
        rounds.add("theirs", Measurement(theirs, 0.004))
    assert ratios_within_rounds(rounds.measurements, "ours", "theirs") == [2, 2, 5]
    assert rounds.ratio("ours", "theirs") == Spread(2, 2, 5)
    assert rounds.rate("ours") == Spread(100, 10, 100)
    assert rounds.processor_seconds("theirs") == 0.004
    assert rounds.processor_ratio("ours", "theirs") == 0.25


def test_servers_that_were_measured_in_different_rounds_have_no_ratio() -> None:
    rounds = Rounds()
    rounds.add("ours", Measurement(1, 1))
    rounds.add("ours", Measurement(1, 1))
    rounds.add("theirs", Measurement(1, 1))
    with pytest.raises(ValueError, match="shorter"):
        rounds.ratio("ours", "theirs")


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)), min_size=1, max_size=9))
def test_a_spread_contains_its_median_and_a_ratio_has_a_reciprocal(rates: list[tuple[float, float]]) -> None:
    rounds = Rounds()
    for ours, theirs in rates:
        rounds.add("ours", Measurement(ours, 1))
        rounds.add("theirs", Measurement(theirs, 1))
    there, back = rounds.ratio("ours", "theirs"), rounds.ratio("theirs", "ours")
    assert there.low <= there.median <= there.high
    assert there.high == pytest.approx(1 / back.low)


# --- agreement ----------------------------------------------------------------------------------------

NEWSROOM = Newsroom(60)
POST = NEWSROOM.posts[-1]
WRAPPED = {
    "page": {
        "docs": [
            {
                "slug": POST.slug,
                "title": POST.title,
                "teaser": POST.teaser,
                "publishedAt": POST.time.replace("Z", ".000+00:00"),
                "body": {"markdown": POST.body},
                "categories": {"nodes": [{"slug": c.slug, "name": c.name} for c in POST.categories[::-1]]},
            }
        ]
    }
}


def test_only_the_form_of_an_answer_may_differ() -> None:
    agreement.check("peer", "article", newsroom.article(POST), agreement.canonical(WRAPPED, single=True))


def test_the_articles_of_a_category_may_be_a_field_of_their_own() -> None:
    category = NEWSROOM.categories[3]
    expected = NEWSROOM.category_page(category)
    answer = {
        "page": [{"slug": category.slug, "name": category.name}],
        "articles": [{**article, "publishedAt": POST.time} for article in expected["articles"]],
    }
    assert agreement.canonical(answer, single=True).keys() == expected.keys()
    assert len(expected["articles"]) == min(10, sum(category in post.categories for post in NEWSROOM.posts))


def _shorter(article: dict[str, Any]) -> None:
    article["categories"]["nodes"].pop()


def _other(name: str) -> Callable[[dict[str, Any]], None]:
    def change(article: dict[str, Any]) -> None:
        article[name] = "2001-01-01T00:00:00Z" if name == "publishedAt" else "another"

    return change


@pytest.mark.parametrize(
    "change",
    [
        _shorter,
        *(_other(name) for name in ("slug", "title", "teaser", "publishedAt", "body", "categories")),
        lambda article: article.pop("teaser"),
        lambda article: article.update(views=3),
        lambda article: article["categories"]["nodes"][0].update(name="another"),
    ],
)
def test_an_answer_that_differs_in_any_value_is_a_disagreement(
    change: Callable[[dict[str, Any]], object],
) -> None:
    answer: dict[str, Any] = deepcopy(WRAPPED)
    change(answer["page"]["docs"][0])
    with pytest.raises(Disagreement, match="peer, article"):
        agreement.check("peer", "article", newsroom.article(POST), agreement.canonical(answer, single=True))


@pytest.mark.parametrize(
    "change",
    [list[Any].reverse, list[Any].pop, lambda page: page.insert(0, page[0]), list[Any].clear],
)
def test_a_front_page_with_other_posts_or_another_order_is_a_disagreement(
    change: Callable[[list[Any]], object],
) -> None:
    actual = NEWSROOM.front_page()
    change(actual)
    with pytest.raises(Disagreement):
        agreement.check("peer", "front page", NEWSROOM.front_page(), actual)


def test_a_missing_article_is_a_disagreement() -> None:
    answers: list[dict[str, Any]] = [{"page": []}, {"page": None}, {"page": {"docs": []}}]
    for missing in answers:
        with pytest.raises(Disagreement, match="the answer is None"):
            agreement.check(
                "peer", "article", newsroom.article(POST), agreement.canonical(missing, single=True)
            )


# --- requests and responses ---------------------------------------------------------------------------


def test_created_posts_have_different_slugs_and_complete_bodies() -> None:
    requests = Requests(LedgerPress(cached=False), NEWSROOM, "token")
    identifiers = {category.slug: category.slug for category in NEWSROOM.categories}
    source = requests.new_posts(identifiers)
    sent = [next(source) for _ in range(1_001)]
    assert b'"slug": "created-000000001"' in sent[0]
    assert b'"slug": "created-000001001"' in sent[1_000]
    for request in sent[::100]:
        head, _, body = request.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head


def test_only_mutations_have_the_token() -> None:
    peer = LedgerPress(cached=False)
    requests = Requests(peer, NEWSROOM, "lp_token")
    identifiers = {category.slug: category.slug for category in NEWSROOM.categories}
    assert b"Bearer lp_token" in next(requests.new_posts(identifiers))
    for kind in results.READS:
        assert b"Bearer" not in next(requests.reads(kind, identifiers))


@pytest.mark.parametrize("response", [RESPONSE, CHUNKED])
@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_responses_are_counted_once_however_they_arrive(response: bytes, size: int) -> None:
    assert body_of(response) == b'{"slug": "a"'
    with _server(response, size) as port:
        done = load(port, repeat(b"request", 5), connections=2, contains=b'"slug"', lacks=b'"errors"')
    assert (done.responses, done.late) == (5, 0)


def test_a_response_with_errors_ends_the_run() -> None:
    with _server(REJECTED, 1_000) as port, pytest.raises(SystemExit, match="unexpected response"):
        load(port, repeat(b"request", 5), connections=1, contains=b'"slug"', lacks=b'"errors"')


class _server:  # noqa: N801  # used like a function
    """A server that answers each `request` with the same bytes, in parts of `size`."""

    def __init__(self, response: bytes, size: int) -> None:
        self._parts = [response[at : at + size] for at in range(0, len(response), size)]
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        threading.Thread(target=self._accept, daemon=True).start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while connection.recv(len(b"request")):
                for part in self._parts:
                    connection.sendall(part)


def test_the_data_changes_before_each_request(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "db")) as db:

        def version() -> int:
            return int(db.execute("PRAGMA user_version").fetchone()[0])

        sent = after_changes(
            repeat(b"request", 3), lambda number: db.execute(f"PRAGMA user_version = {number}")
        )
        assert [(version(), request) for request in sent] == [
            (1, b"request"),
            (2, b"request"),
            (3, b"request"),
        ]


@pytest.mark.parametrize("peer", [LedgerPress(cached=False), *PEERS], ids=lambda peer: peer.key)
def test_the_page_states_what_each_server_keeps_in_memory(peer: GraphQLPeer) -> None:
    assert peer.reused.endswith(".")


# --- versions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "manifest", sorted(SERVERS.glob("*/package.json")), ids=lambda path: path.parent.name
)
def test_the_npm_packages_of_a_peer_are_exact_and_locked_without_an_address(manifest: Path) -> None:
    text = manifest.with_name("package-lock.json").read_text("utf-8")
    wanted, locked = json.loads(manifest.read_text("utf-8")), json.loads(text)
    assert all(re.fullmatch(r"[0-9.]+", version) for version in wanted["dependencies"].values())
    assert locked["packages"][""]["dependencies"] == wanted["dependencies"]
    assert '"resolved"' not in text


@pytest.mark.parametrize(
    "lock", sorted(SERVERS.glob("*/requirements.txt")), ids=lambda path: path.parent.name
)
def test_the_python_packages_of_a_peer_are_locked_without_an_address(lock: Path) -> None:
    text = lock.read_text("utf-8")
    pins = {canonicalize_name(pin[1]): pin[2] for pin in re.finditer(r"^(\S+)==(\S+)", text, re.MULTILINE)}
    for line in lock.with_suffix(".in").read_text("utf-8").splitlines():
        requirement = Requirement(line)
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(pins)


# --- the page -----------------------------------------------------------------------------------------


def _run() -> Results:
    run = Results(500, 2, 0.5, "scripts/bench peers", "2026-01-01", "a machine", generator_use=0.25)
    for kind, work in results.ALL_WORK.items():
        rounds = run.work[kind] = Rounds()
        names = [work.ours, "Keystone"]
        if kind == "cached":
            names = [results.CACHED, results.NOT_MODIFIED, results.PLAIN_ASGI]
        for index, name in enumerate(names):
            for rate in (300.0, 330.0):
                rounds.add(name, Measurement(rate / (index + 1), 0.0005 * (index + 1)))
    run.flushes = {kind: {results.LEDGERPRESS: 1.0, "Keystone": None} for kind in results.WRITES}
    run.peers = {"Keystone": Peer({"@keystone-6/core": "8.1.0"}, "At once.", "A remark.", "Nothing.")}
    return run


def test_the_page_has_the_ratios_spreads_versions_and_flushes() -> None:
    text = page(_run())
    assert "| Keystone | 2.00 (2.00 to 2.00) |" in text
    assert "| Keystone | 158 | 150 to 165 | 1.00 ms | 2.00 (2.00 to 2.00) | 0.50 |" in text
    assert "| not counted |" in text
    assert "@keystone-6/core 8.1.0" in text
    assert "304 responses against cached ones: 0.50" in text
    assert "used 25% of its core" in text
    assert "- **Keystone**: Nothing." in text
    assert "**One article, after a change of the data before each request**" in text


def test_the_page_states_which_peers_were_not_measured() -> None:
    assert "Not measured" not in page(_run())
    run = replace(_run(), missing={"Payload": "npm\n cannot install"})
    assert "Not measured, because the installation failed:\n\n- **Payload**: `npm cannot install`" in page(
        run
    )


def test_every_table_of_the_page_has_rows_of_equal_length() -> None:
    for table in page(_run()).split("\n\n"):
        lengths = {line.count("|") for line in table.splitlines() if line.startswith("|")}
        assert len(lengths) <= 1, table


def test_the_stored_page_has_the_sections_of_a_generated_one() -> None:
    def headings(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith("## ")]

    assert headings(PAGE.read_text("utf-8")) == headings(page(_run()))
