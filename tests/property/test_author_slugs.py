"""Over random histories of authors, each slug leads to one author, and erasures leave the rows of a rebuild."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import count
from typing import Any, Final, NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from ledgerpress.eventlog.codec import Recorded
from ledgerpress.eventlog.envelope import Header
from ledgerpress.eventlog.event_and_withdrawn_event import Event, withdrawn, without_text
from ledgerpress.features.authors.author_rows import AuthorsProjector
from ledgerpress.features.authors.model import AuthorRegistered, AuthorRenamed
from ledgerpress.features.slugs import model as slugs
from ledgerpress.views.projection.projector_interface_and_composition import Effect, Erasure
from tests.apply_projector import apply_all
from tests.property.test_views import EXAMPLES

NAMES: Final = ("Ada", "ada!", "Ada 2", "Bo", "💡", "a", "Ada-2-2")
SLUGS: Final = ("ada", "ada-2", "bo", "cy")
AUTHORS: Final = 5


class Step(NamedTuple):
    """What happens to an author. An earlier version recorded no slugs; a later one states or derives them."""

    author: int
    name: str
    is_earlier: bool
    slug: str | None


_STEPS: Final = st.lists(
    st.builds(
        Step,
        author=st.integers(0, AUTHORS - 1),
        name=st.sampled_from(NAMES),
        is_earlier=st.booleans(),
        slug=st.sampled_from((None, None, *SLUGS)),
    ),
    max_size=14,
)


class Model:
    """The authors in plain dictionaries: their slugs as of now, and the author that each slug leads to."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.slugs: dict[str, str] = {}
        self.owners: dict[str, str] = {}

    def free(self, base: str, author: str) -> str:
        candidates = (slugs.numbered(base, number) for number in count(1))
        return next(slug for slug in candidates if self.owners.get(slug, author) == author)

    def give(self, author: str, slug: str) -> None:
        self.slugs[author] = slug
        self.owners.setdefault(slug, author)


def history(steps: Sequence[Step]) -> tuple[list[Recorded[Event]], Model]:
    """Return the events that commands would record, and the authors that result from them."""
    model, events = Model(), list[Recorded[Event]]()
    versions = dict[str, int]()
    for step in sorted(steps, key=lambda step: not step.is_earlier):
        author = f"00000000-0000-8000-8000-00000000000{step.author}"
        is_new = author not in model.names
        derived = model.free(slugs.derive(step.name, fallback="author"), author)
        event: Event
        if step.is_earlier:
            slug: Any = derived
            if is_new:
                event = AuthorRegistered(author_id=author, name=step.name)
            else:
                event = AuthorRenamed(author_id=author, name=step.name, slug=None)
        else:
            slug = derived if step.slug is None else step.slug
            if model.owners.get(slug, author) != author:
                continue  # rejected
            if is_new:
                event = AuthorRegistered(author_id=author, name=step.name, slug=slug)
            else:
                has_slug = step.slug is not None
                event = AuthorRenamed(author_id=author, name=step.name, slug=slug if has_slug else UNSET)
                slug = slug if has_slug else model.slugs[author]
        model.names[author] = step.name
        model.give(author, slug)
        versions[author] = versions.get(author, 0) + 1
        events.append(recorded(len(events) + 1, versions[author], author, event))
    return events, model


def recorded(position: int, version: int, author: str, event: Event) -> Recorded[Event]:
    type_ = "author.registered" if isinstance(event, AuthorRegistered) else "author.renamed"
    id_ = "00000000-0000-8000-8000-0000000000ff"
    header = Header(
        1, id_, position, id_, f"author.{author}", version, type_, 2, position, id_, None, id_, id_, None, ""
    )
    return Recorded(header, event)


def without_payload(event: Recorded[Event]) -> Recorded[Event]:
    """Return an event after the withdrawal of its payload."""
    header, rest = event.header, without_text(event.event)
    assert rest is not None
    return msgspec.structs.replace(
        event, event=withdrawn(header.type, header.stream, header.recorded_at, *rest)
    )


def rows(db: sqlite3.Connection) -> list[list[Any]]:
    return [
        db.execute(f"SELECT * FROM {table}").fetchall() for table in ("author", "author_state", "author_slug")
    ]


def built(events: Sequence[Recorded[Event]], batch_size: int = 100) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.executescript(AuthorsProjector.schema)
    for start in range(0, len(events), batch_size):
        apply_all(AuthorsProjector(), events[start : start + batch_size], db)
    return db


@settings(max_examples=EXAMPLES, deadline=None)
@given(_STEPS, st.integers(1, 4))
def test_each_slug_leads_to_one_author_permanently(steps: list[Step], batch_size: int) -> None:
    events, model = history(steps)
    with closing(built(events, batch_size)) as db:
        last = "SELECT slug FROM author_state JOIN author USING (seq) WHERE id = ? ORDER BY from_pos DESC LIMIT 1"
        assert {author: db.execute(last, (author,)).fetchone()[0] for author in model.slugs} == model.slugs
        owners = dict(db.execute("SELECT slug, id FROM author_slug JOIN author USING (seq)").fetchall())
        assert owners == model.owners
        assert rows(db) == rows(built(events))
        for stop in range(len(events)):
            # As of a position, the rows are those of a store that stops there.
            with closing(built(events[:stop])) as earlier:
                for table in ("author_state", "author_slug"):
                    query = f"SELECT * FROM {table} WHERE from_pos <= ?"
                    assert db.execute(query, (stop,)).fetchall() == earlier.execute(query, (stop,)).fetchall()


@settings(max_examples=EXAMPLES, deadline=None)
@given(_STEPS, st.lists(st.integers(1, 14), min_size=1, max_size=3, unique=True))
def test_after_erasures_the_rows_are_those_of_a_rebuild(steps: list[Step], erased: list[int]) -> None:
    events, _ = history(steps)
    with closing(built(events)) as db:
        for number, position in enumerate(erased):
            if position > len(events):
                continue
            old = events[position - 1]
            events[position - 1] = without_payload(old)
            stream = [event for event in events if event.header.stream == old.header.stream]
            erasure = Erasure(
                event=events[position - 1],
                event_type=type(old.event),
                stream=stream,
                record=100 + number,
                is_first_of_command=True,
            )
            assert AuthorsProjector().erase(erasure, db) is Effect.NONE
            with closing(built(events)) as rebuilt:
                assert rows(db) == rows(rebuilt)
