"""The program as a different version: `python -m tests.integration.other_version_program CHANGE ARGUMENT…`."""

import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import msgspec

from ledgerpress.cli import main
from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features import registry as every
from ledgerpress.features.posts.model import PostCreated, PostEdited
from ledgerpress.features.posts.projector import PostsProjector
from ledgerpress.features.registry import all_projectors
from ledgerpress.views.files import rebuild_compare_and_switch
from ledgerpress.views.projection.projector_interface_and_composition import Projector, ProjectorBatch
from tests.altered_projectors import AlteredWriting

FAILS_AT: Final = 9
SMALL_BATCH: Final = 1_500


class CapitalTeasers:
    """Posts of the next version: a teaser that is written at an even position is in capitals. The tables are the same."""

    def __init__(self) -> None:
        self._posts = PostsProjector()
        self.name, self.version = self._posts.name, self._posts.version + 1
        self.schema, self.indexes = self._posts.schema, self._posts.indexes

    def begin(self, db: sqlite3.Connection) -> ProjectorBatch:
        return AlteredWriting(self._posts.begin(db), partial(self._apply, db))

    def _apply(self, _: sqlite3.Connection, writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
        event = recorded.event
        if isinstance(event, PostCreated | PostEdited) and event.teaser and recorded.position % 2 == 0:
            event = msgspec.structs.replace(event, teaser=self.changed(event.teaser))
        writing.apply(msgspec.structs.replace(recorded, event=event))

    def changed(self, teaser: str) -> str:
        return teaser.upper()


class SmallLetterTeasers(CapitalTeasers):
    """Posts of another version, whose tables are the same, too."""

    def __init__(self) -> None:
        super().__init__()
        self.version += 2

    def changed(self, teaser: str) -> str:
        return teaser.lower()


class UnversionedCapitalTeasers(CapitalTeasers):
    """Posts of a version that writes otherwise and is said to be the same: its views are of the same set."""

    def __init__(self) -> None:
        super().__init__()
        self.version -= 1


class MoreTables(CapitalTeasers):
    """Posts of a version after that, which has one more table."""

    def __init__(self) -> None:
        super().__init__()
        self.version += 1
        self.schema += "CREATE TABLE seen (position INTEGER PRIMARY KEY) STRICT;\n"

    def _apply(self, db: sqlite3.Connection, writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
        super()._apply(db, writing, recorded)
        db.execute("INSERT INTO seen VALUES (?)", (recorded.position,))


class Failing(CapitalTeasers):
    """Posts of a version that is not right."""

    def _apply(self, db: sqlite3.Connection, writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
        super()._apply(db, writing, recorded)
        if recorded.position == FAILS_AT:
            raise ValueError("this cannot be")


CHANGES: Final[dict[str, Callable[[], Projector]]] = {
    "capitals": CapitalTeasers,
    "small-letters": SmallLetterTeasers,
    "unversioned": UnversionedCapitalTeasers,
    "more-tables": MoreTables,
    "failing": Failing,
    "small-batches": PostsProjector,
}


def changed_projectors(change: str) -> Sequence[Projector]:
    """Every projector of the changed program."""
    return [CHANGES[change]() if one.name == "posts" else one for one in all_projectors()]


def changed_main() -> None:
    """Run the program, changed as the first argument says."""
    change = sys.argv.pop(1)
    vars(every)["FIRST_PARTY"] = [
        replace(feature, projectors=(CHANGES[change](),)) if feature.name == "posts" else feature
        for feature in every.FIRST_PARTY
    ]
    if change == "small-batches":
        vars(rebuild_compare_and_switch)["BATCH"] = SMALL_BATCH
    main()


if __name__ == "__main__":
    changed_main()
