"""The same tests with one worker and with several: each request of a test reaches another worker.

A test module opts in with `pytestmark = pytest.mark.usefixtures("workers")`. Applications in this process then consist
of several stores with their own applications and a channel between them, and server processes have several workers.
Tests of limits that each worker has are marked `one_worker`.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from weakref import WeakKeyDictionary

import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from ledgerpress.features.registry import all_projectors
from ledgerpress.graphql.subscriptions.hub import SubscriptionHub
from ledgerpress.http.app import Runtime
from ledgerpress.server.store import Store, open_store
from ledgerpress.server.workers.http_workers import HttpWorkers
from ledgerpress.server.workers.socket_directory import socket_directory
from ledgerpress.server.workers.team import Team
from ledgerpress.views.files.active_views import ActiveViews
from ledgerpress.views.files.views_directory import digest_of

VARIABLE: Final = "LEDGERPRESS_WORKERS"
"""The variable with the number of workers of a server process."""

NewApp = Callable[[Store, Runtime], Starlette]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests that use `workers` with one worker and with four, or with one if they are about one process."""
    if "workers" in metafunc.fixturenames:
        numbers = [1] if metafunc.definition.get_closest_marker("one_worker") else [1, 4]
        names = ["one worker", "four workers"]
        metafunc.parametrize("workers", numbers, indirect=True, ids=names[: len(numbers)])


@pytest.fixture(scope="module")
def workers(request: pytest.FixtureRequest) -> Iterator[int]:
    """The number of workers of each application and of each server process in a test."""
    number: int = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(number))
        yield number


_of_several: Final = WeakKeyDictionary[ActiveViews, tuple[Path, Team]]()
"""The directory of the workers, and the team of the first one, by the views of its store."""


@asynccontextmanager
async def opened_store(data: Path, **options: Any) -> AsyncIterator[Store]:
    """Open the store of the only worker, or of the first one; `options` are arguments of `open_store`."""
    if _number() == 1:
        async with open_store(data, **options) as store:
            yield store
        return
    with TemporaryDirectory() as temporary, socket_directory(Path(temporary)) as directory:
        async with _worker_store(directory, 1, data, options) as (store, team):
            _of_several[store.views] = directory, team
            yield store


@asynccontextmanager
async def app_of_workers(
    store: Store, new_app: NewApp, runtime: Callable[[], Runtime] = Runtime, **options: Any
) -> AsyncIterator[Starlette]:
    """Yield the application of a store from `opened_store`. With several workers, the first one distributes the requests.

    `options` are arguments of `open_store` for the other workers.
    """
    several = _of_several.pop(store.views, None)
    if several is None:
        yield new_app(store, runtime())
        return
    directory, team = several
    data = store.views.path.parent
    own = {"clock": store.clock, "randomness": store.randomness, "public_history": store.public_history}
    options = own | options
    async with AsyncExitStack() as stack:
        apps = [new_app(store, replace(runtime(), workers=HttpWorkers(team.channel)))]
        for worker in range(2, _number() + 1):
            opening = _worker_store(directory, worker, data, options)
            worker_store, team = await stack.enter_async_context(opening)
            apps.append(new_app(worker_store, replace(runtime(), workers=HttpWorkers(team.channel))))
        yield DistributedApp(apps)


@asynccontextmanager
async def _worker_store(
    directory: Path, worker: int, data: Path, options: dict[str, Any]
) -> AsyncIterator[tuple[Store, Team]]:
    views = digest_of(options.get("projectors") or all_projectors())
    async with (
        Team.joined(directory, worker, views) as team,
        open_store(data, **options, workers=team) as store,
    ):
        yield store, team


def _number() -> int:
    return int(os.environ.get(VARIABLE, "1"))


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
