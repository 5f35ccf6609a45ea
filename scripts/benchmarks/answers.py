"""HTTP responses: cached, not modified and uncached, against a bare ASGI application and plain strawberry.

Each server has one worker and receives 16 connections over loopback; the servers take turns. The query lists 20
articles with 10 fields and 3 categories. The document is known to the server. For uncached responses, each request has
a different value of an unused variable. The first figure is that of an application which sends the same bytes with
unmodified uvicorn; LedgerPress passes complete headers to versions of uvicorn that it knows (decision 0021). The last
figure has no target: it is that of our schema and resolvers in strawberry's application.

Exits with 1 if the median of the ratios of all rounds misses a target.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import uvloop

from ledgerpress.server.store import open_store
from scripts.benchmarks.compared_servers.answer_server import KINDS
from scripts.workloads.magazine import FRONT_PAGE, SALTED_FRONT_PAGE, write_magazine
from scripts.workloads.raw_client import ask, load

CHECKOUT = Path(__file__).resolve().parent.parent.parent
VARIABLES = {"first": 20}
SALT = b"0" * 12
TARGETS = (
    ("cached", "bare", 0.5),
    ("unchanged", "bare", 0.6),
    ("uncached", "strawberry", 4.0),
)


def post(body: object) -> bytes:
    """Return a POST request with a JSON body."""
    content = json.dumps(body).encode()
    head = (
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def conditional(port: int) -> bytes | None:
    """Return a conditional GET request with the hash of a document whose response is 304; `None` if it is not."""
    digest = hashlib.sha256(FRONT_PAGE.encode()).hexdigest()
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    ask(port, post({"query": FRONT_PAGE, "variables": VARIABLES, "extensions": extensions}))
    query = urlencode({"variables": json.dumps(VARIABLES), "extensions": json.dumps(extensions)})
    head = (
        f"GET /graphql?{query} HTTP/1.1\r\nHost: localhost\r\nAccept: application/graphql-response+json\r\n"
        "GraphQL-Require-Preflight: 1\r\n"
    )
    response, _, _ = ask(port, f"{head}\r\n".encode()).partition(b"\r\n\r\n")
    tags = [line[6:].decode() for line in response.split(b"\r\n") if line.lower().startswith(b"etag: ")]
    if not tags:
        return None
    request = f"{head}If-None-Match: {tags[0]}\r\n\r\n".encode()
    return request if b" 304 " in ask(port, request).partition(b"\r\n")[0] else None


def measure(rounds: int, seconds: float) -> bool:
    """Measure all servers in turn, print the results, and return whether every target is met."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".bench-", dir=CHECKOUT)))
        uvloop.run(_fill(place / "data"))
        request = post({"query": FRONT_PAGE, "variables": VARIABLES})
        salted = post({"query": SALTED_FRONT_PAGE, "variables": {**VARIABLES, "salt": SALT.decode()}})
        numbers = count()
        (place / "body").write_bytes(b"{}")

        servers = {kind: Server(kind, place, stack) for kind in KINDS if kind != "bare"}
        bodies = {
            kind: ask(server.port, request).partition(b"\r\n\r\n")[2] for kind, server in servers.items()
        }
        _check(bodies)
        (place / "body").write_bytes(bodies["cached"])
        servers["bare"] = Server("bare", place, stack)
        requests = dict.fromkeys(servers, lambda: request)
        requests["uncached"] = lambda: salted.replace(SALT, b"%012d" % next(numbers))
        if conditional_request := conditional(servers["cached"].port):
            servers["unchanged"], requests["unchanged"] = servers["cached"], lambda: conditional_request
        print(f"{len(bodies['cached']):,} bytes per response; {rounds} alternating rounds of {seconds} s")
        rates: dict[str, list[Rate]] = {kind: [] for kind in servers}
        for number in range(rounds + 1):
            for kind in sorted(servers, reverse=bool(number % 2)):
                measured = servers[kind].rate(requests[kind], seconds)
                if number:
                    rates[kind].append(measured)
        return _report(rates)


class Rate(NamedTuple):
    """Responses per second, and per second of the server's processor time, which hardly depends on other work."""

    by_clock: float
    by_processor: float


class Server:
    """A server process for one kind of response."""

    def __init__(self, kind: str, place: Path, stack: ExitStack) -> None:
        command = [
            sys.executable,
            "-m",
            "scripts.benchmarks.compared_servers.answer_server",
            kind,
            str(place / "data"),
            str(place / "body"),
        ]
        self._process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
        stack.callback(self._stop)
        assert self._process.stdout is not None  # noqa: S101
        self.port = int(self._process.stdout.readline())

    def rate(self, request: Callable[[], bytes], seconds: float) -> Rate:
        """Send requests for `seconds`, and return the rate of responses."""
        before = self._processor_seconds()
        responses, took = load(self.port, request, seconds=seconds)
        return Rate(responses / took, responses / (self._processor_seconds() - before or 0.01))

    def _processor_seconds(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _stop(self) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()


def _report(rates: dict[str, list[Rate]]) -> bool:
    print(f"  {'':<12} responses per second, and per second of the server's processor time")
    for kind in ("bare", "cached", "unchanged", "uncached", "strawberry", "our schema"):
        if kind in rates:
            by_clock, by_processor = map(statistics.median, zip(*rates[kind], strict=True))
            print(f"  {kind:<12} {by_clock:9,.0f} {by_processor:9,.0f}")
    met = [_meets_target(rates, *target) for target in TARGETS]
    return all(met)


def _meets_target(rates: dict[str, list[Rate]], ours: str, theirs: str, least: float) -> bool:
    if ours not in rates:
        print(f"  {ours:<12} MISSING: the server sends no ETag")
        return False
    pairs = list(zip(rates[ours], rates[theirs], strict=True))
    ratios = [rate.by_clock / base.by_clock for rate, base in pairs]
    ratio = statistics.median(ratios)
    by_processor = statistics.median(rate.by_processor / base.by_processor for rate, base in pairs)
    verdict = "" if ratio >= least else f"   target MISSED: at least {least}"
    print(
        f"  {ours} / {theirs}: {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f};"
        f" by processor time {by_processor:.2f}){verdict}"
    )
    return ratio >= least


async def _fill(data: Path) -> None:
    async with open_store(data) as store:
        await write_magazine(store)


def _check(bodies: dict[str, bytes]) -> None:
    """Check that all servers return the same data. Raises `SystemExit` if one does not."""
    responses = {kind: json.loads(body) for kind, body in bodies.items()}
    for kind, response in responses.items():
        if "errors" in response or response["data"] != responses["cached"]["data"]:
            raise SystemExit(f"{kind} returns a different response: {bodies[kind][:500]!r}")


def main() -> None:
    """Measure, and exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    sys.exit(0 if measure(options.rounds, options.seconds) else 1)


if __name__ == "__main__":
    main()
