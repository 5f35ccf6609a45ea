"""Load the demo: handle the commands of its story, with a clock that is set to the time of each command."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Final

from ledgerpress.commands.command_handler import CommandHandler
from ledgerpress.commands.command_request_and_context import CommandContext, CommandRequest
from ledgerpress.commands.streams_and_append_plan import AppendPlan
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.actors.model import FIRST_EVENT_COUNT
from ledgerpress.features.demo.story import STORY
from ledgerpress.features.demo.story_step_builders import Stage


class DemoClock:
    """A clock that only moves when it is set, and only forwards. Times are in microseconds since 1970, UTC."""

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def set(self, at: int) -> None:
        """Set the clock to `at`. Raises `ValueError` if `at` is before the current time."""
        if at < self._now:
            raise ValueError(f"cannot set the clock back from {self._now} to {at}")
        self._now = at


DEMO_WEEKS: Final = 3
"""The length of the story; its last step is a few minutes before the end."""
EVENTS_TO_IDENTIFY: Final = 6
"""How many events identify the demo: they give the site and the actors their names, one in each step."""


def begins_with_demo(events: Iterable[Event]) -> bool:
    """Return whether `events`, the first ones after those of a new store, are those of the demo.

    `EVENTS_TO_IDENTIFY` of them are enough.
    """
    stage = Stage(0)
    expected = [getattr(step.act.command(stage), "name", None) for step in STORY[:EVENTS_TO_IDENTIFY]]
    return [getattr(event, "name", None) for event in islice(events, EVENTS_TO_IDENTIFY)] == expected


class StoreNotEmpty(Exception):
    """The store contains more than the first events of a new store. Nothing was recorded."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"the demo loads into an empty store; this store already has {position - FIRST_EVENT_COUNT:,} events"
        )
        self.position = position


async def load_demo(
    commands: CommandHandler, clock: DemoClock, *, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write the demo into an empty store that was opened with `clock`.

    The story begins at the current time of `clock`; afterwards, `clock` is set to the time of the last step. The same
    start, publication and randomness produce the same bytes. `progress` is called with the number of completed steps
    and the total number. Raises `StoreNotEmpty`.
    """
    head = (await commands.handle(_NothingToDo())).position
    if head > FIRST_EVENT_COUNT:
        raise StoreNotEmpty(head)
    stage = Stage(clock.now())
    for done, step in enumerate(STORY, 1):
        clock.set(stage.start + step.after)
        request = CommandRequest(actor_id=stage.id("actor", step.by), reason=step.reason)
        result = await commands.handle(step.act.command(stage), request)
        if step.act.creates:
            stage.put(*step.act.creates, result.subject_id)
        if progress:
            progress(done, len(STORY))


@dataclass(frozen=True, slots=True)
class _NothingToDo:
    """Records nothing; its result contains the head of the log."""

    fingerprint_name: ClassVar[str] = "_NothingToDo"
    lock_key = None

    async def plan(self, context: CommandContext) -> AppendPlan:
        return AppendPlan("")
