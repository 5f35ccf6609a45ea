"""Rebuild the views of a data directory alongside those in use, for the command line and for servers."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES
from ledgerpress.server.log_factory import log_of_views
from ledgerpress.server.log_url import LOCAL
from ledgerpress.views.files.build import PayloadWithdrawnDuringBuild
from ledgerpress.views.files.comparison import RowDifference
from ledgerpress.views.files.rebuild_compare_and_switch import (
    Progress,
    RebuildFailed,
    ViewsBuilder,
    ViewsComparison,
)
from ledgerpress.views.files.views_directory import ViewsDirectory, ViewsGone
from ledgerpress.views.projection.projector_interface_and_composition import Projector

MAX_ATTEMPTS: Final = 3
"""Attempts to build views while payloads are withdrawn."""


class ViewsUpToDate(Exception):
    """The views in use are up to date, so none are rebuilt."""


async def rebuild(
    data: Path,
    names: Collection[str] = (),
    *,
    log: str = LOCAL,
    features: FeatureSet = FEATURES,
    check: bool = False,
    if_outdated: bool = False,
    report: Callable[[RowDifference], None] = lambda _: None,
    restarted: Callable[[], None] = lambda: None,
    progress: Progress | None = None,
    projectors: Sequence[Projector] | None = None,
    batch_size: int | None = None,
) -> ViewsComparison | None:
    """Rebuild the views in `data` alongside those in use, compare them, and switch every process to them.

    With `check`, they are only compared. With `if_outdated`, wait while another process builds views, and rebuild only
    if the views in use are then outdated or missing. `names` are the projections to rebuild; the others are copied.
    `report` is called with each row that differs. `restarted` is called if the rebuild starts again: earlier reports
    are void. At most `batch_size` events are written in one transaction. Returns the comparison, or `None` if no
    views were in use. Raises `LogUnusable`, `ViewsBusy`, `RebuildFailed`, and with `if_outdated` `ViewsUpToDate`.
    """
    projectors = features.projectors if projectors is None else projectors
    async with log_of_views(data, log, create=True) as opened:
        directory = ViewsDirectory(data, projectors)
        builder = ViewsBuilder(opened, features.codec(), directory, projectors, batch_size=batch_size)
        async with AsyncExitStack() as stack:
            if if_outdated:
                await stack.enter_async_context(directory.building_in_turn())
                if not directory.needs_rebuild:
                    raise ViewsUpToDate("the views in use are up to date")
            else:
                stack.enter_context(directory.building())
            for _ in range(MAX_ATTEMPTS):
                try:
                    return await builder.rebuild(names, report, check=check, progress=progress)
                except (PayloadWithdrawnDuringBuild, ViewsGone):
                    restarted()
            raise RebuildFailed("payloads are being withdrawn: try again when the withdrawals are finished")
