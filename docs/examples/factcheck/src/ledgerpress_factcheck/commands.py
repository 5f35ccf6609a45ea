"""Record a check, alone or together with a new post; reject the publication of a post that failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeAlias

from ledgerpress import feature
from ledgerpress.feature import AppendPlan, CommandContext, Event, PlannedWrite, Rejection
from ledgerpress.features.posts import POSTS, CreatePost, PostPublished
from ledgerpress_factcheck.model import CHECKS, FAILED_CHECK, PostChecked

LastChecks: TypeAlias = dict[str, bool | None]
CHECK: Final = feature.Permission("x.factcheck:write", roles=[feature.Role.EDITOR])


@dataclass(frozen=True, slots=True)
class FirstCheck:
    """A check that is recorded together with a new post."""

    fingerprint_name: ClassVar[str] = "x.factcheck.FirstCheck"
    passed: bool
    note: str


@dataclass(frozen=True, slots=True)
class CheckPost(feature.Command):
    fingerprint_name: ClassVar[str] = "x.factcheck.CheckPost"
    post_id: str
    passed: bool
    note: str

    async def plan(self, context: CommandContext) -> AppendPlan:
        await context.load_existing(POSTS, self.post_id, "post")
        return AppendPlan.of(self.post_id, await check(context, self.post_id, self))


async def check(context: CommandContext, post_id: str, outcome: CheckPost | FirstCheck) -> PlannedWrite:
    note = feature.text_rules.optional_text(outcome.note, field="note", limit=feature.text_rules.MAX_NOTE)
    stream = await context.load(CHECKS, post_id)
    return stream.write([PostChecked(post_id=post_id, passed=outcome.passed, note=note or "")])


async def add_check(command: CreatePost, plan: AppendPlan, context: CommandContext) -> list[PlannedWrite]:
    first = context.input(FirstCheck)
    if first is None:
        return []
    context.require(CHECK)
    return [await check(context, plan.subject_id, first)]


async def load_last_checks(command: Any, plan: AppendPlan, context: CommandContext) -> LastChecks:
    """Load the last check of each post that is published, whatever the command is about."""
    published = [write.stream for write in plan.writes if PostPublished in map(type, write.events)]
    posts = [POSTS.id_in(stream) for stream in published]
    return {post: (await context.load(CHECKS, post)).state for post in posts}


def reject_if_failed(command: Any, events: Sequence[Event], checks: LastChecks) -> None:
    now = {event.post_id: event.passed for event in events if isinstance(event, PostChecked)}
    if any(now.get(post, passed) is False for post, passed in checks.items()):
        raise Rejection(FAILED_CHECK, "This post failed its fact check: check it again before publishing.")


COMMANDS: Final = feature.commands(feature.RequiredPermission(CHECK), CheckPost)
GUARD: Final = feature.GuardDeclaration((), load_last_checks, reject_if_failed, events=(PostPublished,))
ADDS: Final = feature.AddedEvents((CreatePost,), add_check)
INPUT: Final = feature.InputDeclaration((CreatePost,), FirstCheck)
