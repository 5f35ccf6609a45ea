"""Whether the process lives, and whether it is ready: every projection runs and has nothing to catch up with."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledgerpress.graphql.context import Store
from ledgerpress.graphql.scalars import iso_time


class Health:
    """Answers the two questions that an operator's machinery asks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def live(self, _: Request) -> Response:
        """Answer 200 as long as the process answers at all."""
        return JSONResponse({"status": "live"})

    async def ready(self, _: Request) -> Response:
        """Answer 200, or 503 with the projections that are paused or behind."""
        head = await self._store.log.head()
        points = self._store.checkpoints
        paused = {name: point.error for name, point in points.items() if point.is_paused}
        behind = {name: head - point.position for name, point in points.items() if point.position < head}
        status = "paused" if paused else "behind" if behind else "ready"
        views = {"file": self._store.views.path.name, "since": iso_time(self._store.views.since)}
        body = {"status": status, "head": head, "paused": paused, "behind": behind, "views": views}
        return JSONResponse(body, status_code=200 if status == "ready" else 503)
