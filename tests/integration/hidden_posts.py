"""One history twice: with posts that are not public, and without them, at the same positions and times.

What readers may not know of is left out of the second one, and actors are registered in its place, which readers do not
see either. Ids follow from keys, so that all that is public is the same in both, to the byte.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledgerpress.commands.client_identity import LOCAL_OPERATOR, Identity
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.features.actors.commands import RegisterActor
from ledgerpress.graphql.relay import global_ids
from tests.fixed_sources import SetClock
from tests.integration.graphql_client import Client, client
from tests.integration.users_by_role import OTHER_AUTHOR, people

MARK: Final = "zzyzx"
"""Stands in all that is hidden, and nowhere else."""
MINUTE: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """A command by somebody; `$name` stands for the id of what another step, called `name`, made."""

    name: str
    mutation: str
    given: Mapping[str, Any]
    hidden: bool = False
    who: str = "editor"


def _post(name: str, *, hidden: bool = False, who: str = "editor", publish: bool = True) -> Step:
    title = f"{name} {MARK}" if hidden else name
    given = {
        "title": title,
        "slug": name,
        "body": f"# {title}\n\nText of {title}.",
        "authors": ["$ada"],
        "categories": [{"slug": "sport"}],
        "publish": publish,
    }
    return Step(name, "postCreate", given, hidden, who)


def _on(post: str, mutation: str, /, *, hidden: bool = True, who: str = "editor", **given: Any) -> Step:
    return Step(f"{mutation}-{post}-{len(str(given))}", mutation, {"id": f"${post}", **given}, hidden, who)


STEPS: Final = (
    Step("site", "siteName", {"name": "The Pier"}),
    Step("news", "categoryCreate", {"name": "News"}),
    Step("sport", "categoryCreate", {"name": "Sport", "parent": {"slug": "news"}}),
    Step("ada", "authorRegister", {"name": "Ada"}),
    _post("first"),
    _post("draft", hidden=True, publish=False),
    _post("withdrawn", hidden=True),
    _post("mine", who=OTHER_AUTHOR, publish=False),
    _on("withdrawn", "postEdit", title=f"Better {MARK}", slug="withdrawn-anew", publish=True),
    _post("second"),
    _on("second", "postEdit", hidden=False, title="Second", slug="second-anew", publish=True),
    _post("archived", hidden=True),
    _post("archived-draft", hidden=True, publish=False),
    _on("withdrawn", "postUnpublish"),
    _on("archived", "postArchive", reason=MARK),
    _on("archived-draft", "postArchive"),
    _on(
        "second",
        "postEdit",
        title=f"Third {MARK}",
        body=f"New text {MARK}",
        teaser=MARK,
        slug="second-hidden",
    ),
    _post("third", who=OTHER_AUTHOR),
    _on("mine", "postEdit", hidden=False, who=OTHER_AUTHOR, title="Mine too"),
    _post("last"),
    _on("draft", "postEdit", reason=MARK, title=f"Still {MARK}"),
)
"""Drafts, posts that were public once and are not, archived ones, and edits of a public one that are not public yet."""

HIDDEN_POSTS: Final = ("draft", "withdrawn", "archived", "archived-draft")
HIDDEN_SLUGS: Final = (*HIDDEN_POSTS, "withdrawn-anew", "second-hidden")


@dataclass(frozen=True, slots=True)
class Newsroom:
    """A client of a store, who there is, the ids of what the steps made, and the positions that the steps led to."""

    door: Client
    clock: SetClock
    people: dict[str, Identity]
    made: dict[str, str]
    positions: list[int]
    start: int

    def global_id(self, type: str, name: str) -> str:
        """Return the global id of what a step made."""
        return global_ids.encode(type, self.made[name])


@asynccontextmanager
async def newsroom(
    data: Path, whole: Newsroom | None = None, *, open_past: bool = False
) -> AsyncIterator[Newsroom]:
    """Open a store in which the steps were carried out; beside `whole`, without those that are hidden."""
    clock = SetClock()
    async with client(data, open_past=open_past, clock=clock) as door:
        room = Newsroom(door, clock, await people(door.store), {}, [await door.store.log.head()], clock.time)
        for number, step in enumerate(STEPS, 1):
            clock.time = room.start + number * MINUTE
            if whole and step.hidden:
                await _fill(room, step.name, clock.time, whole.positions[number])
            else:
                await _carry_out(room, step)
            room.positions.append(await door.store.log.head())
            assert not whole or room.positions == whole.positions[: number + 1]
        yield room


async def _carry_out(room: Newsroom, step: Step) -> None:
    given = _filled(step.given, room)
    kind = next((one for one in ("post", "category", "author") if step.mutation.startswith(one)), None)
    with room.door.acting_as(LOCAL_OPERATOR if step.mutation == "siteName" else room.people[step.who]):
        selected = f"made: {kind} {{ id }}" if kind else ""
        payload = await room.door.do(step.mutation, selected, idempotencyKey=step.name, **given)
    assert payload["userErrors"] == [], (step, payload)
    if kind and step.name not in room.made:
        named = global_ids.decode(payload["made"]["id"])
        assert named
        room.made[step.name] = named.id


async def _fill(room: Newsroom, name: str, now: int, position: int) -> None:
    """Register actors until the log has come to a position."""
    number = 0
    while await room.door.store.log.head() < position:
        room.clock.time = now
        number += 1
        await room.door.store.commands.handle(
            RegisterActor(name="Nobody"), CommandRequest(idempotency_key=f"{name}-{number}")
        )


def _filled(given: Any, room: Newsroom) -> Any:
    if isinstance(given, Mapping):
        return {name: _filled(value, room) for name, value in given.items()}
    if isinstance(given, list):
        return [_filled(one, room) for one in given]
    if isinstance(given, str) and given.startswith("$"):
        return room.global_id("Author" if given == "$ada" else "Post", given[1:])
    return given
