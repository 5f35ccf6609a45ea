"""Record a check, alone or together with a new post; reject the publication of a post that failed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from ledgerpress import feature
from ledgerpress.feature import AppendPlan, CommandContext, ErrorCode, Event, PlannedWrite, Rejection, Role
from ledgerpress.features.posts.create_edit_categorize_commands import CreatePost
from ledgerpress.features.posts.model import POSTS, PostPublished
from ledgerpress_factcheck.model import CHECKS, FAILED_CHECK, PostChecked, evolve

CHECK: Final = feature.ContributedPermission("x.factcheck:write", roles=frozenset({Role.EDITOR}))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPost:
    fingerprint_name: ClassVar[str] = "x.factcheck.CheckPost"

    post_id: str
    verdict: str
    note: str = ""

    @property
    def lock_key(self) -> str | None:
        return CHECKS.stream(self.post_id)

    async def plan(self, context: CommandContext) -> AppendPlan:
        if (await context.load(POSTS, self.post_id)).state is None:
            raise Rejection(ErrorCode.NOT_FOUND, "There is no such post.", field=("id",))
        checks = await context.load(CHECKS, self.post_id)
        context.check_version(checks.version)
        return AppendPlan.of(self.post_id, checks.write([checked(self.post_id, self.verdict, self.note)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstCheck:
    """A check that is recorded together with a new post."""

    fingerprint_name: ClassVar[str] = "x.factcheck.FirstCheck"

    verdict: str
    note: str = ""


def checked(post_id: str, verdict: str, note: str) -> PostChecked:
    """Return the event. Raises `Rejection`."""
    note = feature.text_rules.optional_text(note, field="note", limit=feature.text_rules.MAX_NOTE) or ""
    return PostChecked(post_id=post_id, verdict=verdict, note=note)


async def add_first_check(
    command: CreatePost, plan: AppendPlan, context: CommandContext
) -> list[PlannedWrite]:
    first = context.input(FirstCheck)
    if first is None or not plan.writes:
        return []
    context.require(CHECK)
    checks = await context.load(CHECKS, plan.subject_id)
    return [checks.write([checked(plan.subject_id, first.verdict, first.note)])]


async def load_verdict(command: object, plan: AppendPlan, context: CommandContext) -> str | None:
    return (await context.load(CHECKS, plan.subject_id)).state


def reject_if_failed(command: object, events: Sequence[Event], verdict: str | None) -> None:
    for event in events:
        verdict = evolve(verdict, event)
    if verdict == "failed":
        raise Rejection(FAILED_CHECK, "This post failed its fact check: check it again before publishing.")


COMMANDS: Final = feature.commands(feature.RequiredPermission(CHECK), CheckPost)
GUARD: Final = feature.GuardDeclaration((), load_verdict, reject_if_failed, events=(PostPublished,))
ADDS: Final = feature.AddedEvents((CreatePost,), add_first_check)
INPUT: Final = feature.InputDeclaration((CreatePost,), FirstCheck)
