"""The same history twice: with posts that are not public, and without them, at the same positions and times.

The second history registers actors instead of recording anything that readers may not see; readers do not see actors
either. Ids are derived from idempotency keys, so all public data is the same in both histories, byte for byte.
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
"""A text that all hidden posts and edits contain, and nothing else."""
MINUTE: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """A mutation and the role of its user; `$name` in the input is the id of the object that the step `name` created."""

    name: str
    mutation: str
    input: Mapping[str, Any]
    hidden: bool = False
    user: str = "editor"


def _post(name: str, *, hidden: bool = False, user: str = "editor", publish: bool = True) -> Step:
    title = f"{name} {MARK}" if hidden else name
    input = {
        "title": title,
        "slug": name,
        "body": f"# {title}\n\nText of {title}.",
        "authors": ["$ada"],
        "categories": [{"slug": "sport"}],
        "publish": publish,
    }
    return Step(name, "postCreate", input, hidden, user)


def _on(post: str, mutation: str, /, *, hidden: bool = True, user: str = "editor", **input: Any) -> Step:
    return Step(f"{mutation}-{post}-{len(str(input))}", mutation, {"id": f"${post}", **input}, hidden, user)


STEPS: Final = (
    Step("site", "siteName", {"name": "The Pier"}),
    Step("news", "categoryCreate", {"name": "News"}),
    Step("sport", "categoryCreate", {"name": "Sport", "parent": {"slug": "news"}}),
    Step("ada", "authorRegister", {"name": "Ada"}),
    _post("first"),
    _post("draft", hidden=True, publish=False),
    _post("withdrawn", hidden=True),
    _post("mine", user=OTHER_AUTHOR, publish=False),
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
    _post("third", user=OTHER_AUTHOR),
    _on("mine", "postEdit", hidden=False, user=OTHER_AUTHOR, title="Mine too"),
    _post("last"),
    _on("draft", "postEdit", reason=MARK, title=f"Still {MARK}"),
)
"""Drafts, posts that are no longer public, archived posts, and edits of a public post that are not public yet."""

HIDDEN_POSTS: Final = ("draft", "withdrawn", "archived", "archived-draft")
HIDDEN_SLUGS: Final = (*HIDDEN_POSTS, "withdrawn-anew", "second-hidden")
FORMERLY_PUBLIC_SLUGS: Final = ("withdrawn", "withdrawn-anew", "archived")
"""The hidden slugs at which readers found an article."""


@dataclass(frozen=True, slots=True)
class Newsroom:
    """A client of a store, its users by role, the ids of created objects by step, and the position after each step."""

    api: Client
    clock: SetClock
    people: dict[str, Identity]
    created: dict[str, str]
    positions: list[int]
    start: int

    def global_id(self, type: str, name: str) -> str:
        """Return the global id of the object that a step created."""
        return global_ids.encode(type, self.created[name])


@asynccontextmanager
async def newsroom(
    data: Path, whole: Newsroom | None = None, *, open_past: bool = False
) -> AsyncIterator[Newsroom]:
    """Open a store and run the steps; given `whole`, the newsroom with all steps, replace the hidden steps."""
    clock = SetClock()
    async with client(data, open_past=open_past, public_history=open_past, clock=clock) as api:
        room = Newsroom(api, clock, await people(api.store), {}, [await api.store.log.head()], clock.time)
        for number, step in enumerate(STEPS, 1):
            clock.time = room.start + number * MINUTE
            if whole and step.hidden:
                await _fill(room, step.name, clock.time, whole.positions[number])
            else:
                await _carry_out(room, step)
            room.positions.append(await api.store.log.head())
            assert not whole or room.positions == whole.positions[: number + 1]
        yield room


async def _carry_out(room: Newsroom, step: Step) -> None:
    input = _filled(step.input, room)
    kind = next((kind for kind in ("post", "category", "author") if step.mutation.startswith(kind)), None)
    with room.api.acting_as(LOCAL_OPERATOR if step.mutation == "siteName" else room.people[step.user]):
        selection = f"made: {kind} {{ id }}" if kind else ""
        payload = await room.api.do(step.mutation, selection, idempotencyKey=step.name, **input)
    assert payload["userErrors"] == [], (step, payload)
    if kind and step.name not in room.created:
        global_id = global_ids.decode(payload["made"]["id"])
        assert global_id
        room.created[step.name] = global_id.id


async def _fill(room: Newsroom, name: str, now: int, position: int) -> None:
    """Register actors until the log has reached a position."""
    number = 0
    while await room.api.store.log.head() < position:
        room.clock.time = now
        number += 1
        await room.api.store.commands.handle(
            RegisterActor(name="Nobody"), CommandRequest(idempotency_key=f"{name}-{number}")
        )


def _filled(value: Any, room: Newsroom) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(item, room) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, room) for item in value]
    if isinstance(value, str) and value.startswith("$"):
        return room.global_id("Author" if value == "$ada" else "Post", value[1:])
    return value
