"""A views file, and the runner that applies events to it or follows what another process applies."""

import asyncio
import sqlite3

from ledgerpress.views.files.views_file_connections import ViewsFile
from ledgerpress.views.files.views_health import ViewsUnavailable
from ledgerpress.views.projection.runner import ProjectionRunner


class FollowedViews:
    """A views file, and the runner that applies events to it."""

    def __init__(self, views: ViewsFile, runner: ProjectionRunner) -> None:
        self.views = views
        self.runner = runner
        self._following: asyncio.Task[None] | None = None

    def follow(self) -> None:
        self._following = asyncio.create_task(self.runner.run(), name="projections")

    @property
    def position(self) -> int:
        return min(point.position for point in self.runner.checkpoints.values())

    def is_level_with(self, other: "FollowedViews") -> bool:
        """Return whether no projection is behind the same projection in `other`.

        The positions in `other` are read from its file: other processes write to that file too, and may be ahead of its
        runner.
        """
        own = self.runner.checkpoints
        try:
            others = other.views.checkpoints()
        except (ViewsUnavailable, sqlite3.Error):  # the file is damaged, which may be why it is replaced
            others = other.runner.checkpoints
        return all(own[name].position >= point.position for name, point in others.items())

    async def aclose(self) -> None:
        if self._following:
            self._following.cancel()
            await asyncio.wait([self._following])
        await self.runner.release()
        await self.views.aclose()
