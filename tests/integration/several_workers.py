"""The same tests with one worker and with several: each request of a test reaches another worker.

A test module opts in with `pytestmark = pytest.mark.usefixtures("workers")`. Applications in this process then consist
of several stores with their own applications and a channel between them, and server processes have several workers.
Tests of limits that each worker has are marked `one_worker`.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.http.app import Runtime
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.workers.channel import WorkerChannel
from ledgerpress.server.workers.http_workers import HttpWorkers
from ledgerpress.server.workers.socket_directory import socket_directory

VARIABLE: Final = "LEDGERPRESS_WORKERS"
"""The variable with the number of workers of a server process."""

NewApp = Callable[[Store, Runtime], Starlette]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests that use `workers` with one worker and with four, or with one if they are about one process."""
    if "workers" in metafunc.fixturenames:
        numbers = [1] if metafunc.definition.get_closest_marker("one_worker") else [1, 4]
        names = ["one worker", "four workers"]
        metafunc.parametrize("workers", numbers, indirect=True, ids=names[: len(numbers)])


@pytest.fixture
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of workers of each application and of each server process in a test."""
    number: int = request.param
    monkeypatch.setenv(VARIABLE, str(number))
    return number


@asynccontextmanager
async def app_of_workers(
    store: Store, new_app: NewApp, runtime: Callable[[], Runtime] = Runtime, **options: Any
) -> AsyncIterator[Starlette]:
    """Yield the application of a store or, in tests with several workers, one that distributes the requests.

    `options` are arguments of `open_store` for the other workers.
    """
    number = int(os.environ.get(VARIABLE, "1"))
    if number == 1:
        yield new_app(store, runtime())
        return
    data = store.views.path.parent
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(socket_directory(Path(stack.enter_context(TemporaryDirectory()))))
        shared: dict[str, Any] = {"clock": store.clock, "randomness": store.randomness}
        apps = []
        for worker in range(1, number + 1):
            if worker > 1:
                store = await stack.enter_async_context(open_store(data, **(shared | options)))
            channel = WorkerChannel(directory, worker)
            apps.append(new_app(store, replace(runtime(), workers=HttpWorkers(channel))))
            await stack.enter_async_context(channel)
        yield DistributedApp(apps)


class DistributedApp(Starlette):
    """Passes each request to the next worker."""

    def __init__(self, apps: list[Starlette]) -> None:
        super().__init__()
        self._next = cycle(apps)
        self.state.runtime = apps[0].state.runtime
        self.state.streaming = StreamingOfWorkers(apps)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await next(self._next)(scope, receive, send)


class StreamingOfWorkers:
    """The streaming endpoints of all workers."""

    def __init__(self, apps: list[Starlette]) -> None:
        self._endpoints = [app.state.streaming for app in apps]
        self.hub: SubscriptionHub = self._endpoints[0].hub
        self.hubs: list[SubscriptionHub] = [endpoint.hub for endpoint in self._endpoints]

    @property
    def counts(self) -> dict[str, int]:
        """The sums of the counts of all workers."""
        total = Counter[str]()
        for endpoint in self._endpoints:
            total.update(endpoint.counts)
        return {name: total[name] for name in self._endpoints[0].counts}
