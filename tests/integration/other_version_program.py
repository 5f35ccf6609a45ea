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
from ledgerpress.feature import Feature, FeatureSet
from ledgerpress.features import registry
from ledgerpress.features.posts.model import PostCreated, PostEdited
from ledgerpress.features.posts.projector import PostsProjector
from ledgerpress.views.files import rebuild_compare_and_switch
from ledgerpress.views.projection.projector_interface_and_composition import (
    Projector,
    ProjectorBatch,
)
from tests.altered_projectors import AlteredWriting

FAILS_AT: Final = 9
SMALL_BATCH: Final = 1_500


class CapitalTeasers:
    """The posts projector of the next version: teasers written at even positions are in capitals. The tables are the same."""

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
    """The posts projector of another version: these teasers are in small letters. The tables are the same."""

    def __init__(self) -> None:
        super().__init__()
        self.version += 2

    def changed(self, teaser: str) -> str:
        return teaser.lower()


class UnversionedCapitalTeasers(CapitalTeasers):
    """A posts projector that writes different rows under the same version number, so its views have the same digest."""

    def __init__(self) -> None:
        super().__init__()
        self.version -= 1


class MoreTables(CapitalTeasers):
    """The posts projector of a version with one more table."""

    def __init__(self) -> None:
        super().__init__()
        self.version += 1
        self.schema += "CREATE TABLE seen (position INTEGER PRIMARY KEY) STRICT;\n"

    def _apply(self, db: sqlite3.Connection, writing: ProjectorBatch, recorded: Recorded[Event]) -> None:
        super()._apply(db, writing, recorded)
        db.execute("INSERT INTO seen VALUES (?)", (recorded.position,))


class Failing(CapitalTeasers):
    """The posts projector of a version that fails at position `FAILS_AT`."""

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


def changed_features(change: str) -> list[Feature]:
    """Return all features, one of which has another projector of posts."""
    return [
        replace(
            feature,
            projectors=tuple(
                CHANGES[change]() if isinstance(projector, PostsProjector) else projector
                for projector in feature.projectors
            ),
        )
        for feature in registry.FIRST_PARTY
    ]


def changed_projectors(change: str) -> Sequence[Projector]:
    """Return all projectors of the changed program."""
    return FeatureSet(tuple(changed_features(change))).projectors


def changed_main() -> None:
    """Run the program with the change that the first argument names."""
    change = sys.argv.pop(1)
    vars(registry)["FIRST_PARTY"] = tuple(changed_features(change))
    if change == "small-batches":
        vars(rebuild_compare_and_switch)["BATCH"] = SMALL_BATCH
    main()


if __name__ == "__main__":
    changed_main()
