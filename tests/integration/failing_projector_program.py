"""The program with a projection `people` that fails at each site name that contains `CURSED`.

The fault is fixed in every process as soon as the file that `LEDGERPRESS_TEST_MENDED` names exists.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

from ledgerpress.cli import main
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.site.model import SiteNamed
from ledgerpress.views.projection.projector_interface_and_composition import ComposedProjector, ProjectorBatch
from tests.altered_projectors import AlteredWriting

CURSED: Final = "Cursed"

_sound = ComposedProjector.begin


def _apply(writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
    writing.apply(recorded)
    cursed = isinstance(recorded.event, SiteNamed) and CURSED in recorded.event.name
    if cursed and not Path(os.environ["LEDGERPRESS_TEST_MENDED"]).exists():
        raise ValueError("this cannot be")


def _begin(self: ComposedProjector, db: sqlite3.Connection) -> ProjectorBatch:
    batch = _sound(self, db)
    return AlteredWriting(batch, _apply) if self.name == "people" else batch


if __name__ == "__main__":
    ComposedProjector.begin = _begin  # type: ignore[method-assign]
    main()
