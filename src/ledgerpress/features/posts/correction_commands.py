"""The commands that add, reword and retract corrections of a post, alone or together with a publication."""

from dataclasses import dataclass
from typing import ClassVar, Final

from msgspec import UNSET, UnsetType

from ledgerpress.commands.command_and_guard_declarations import commands
from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.streams_and_append_plan import LoadedStream
from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.features.posts.corrections import decisions
from ledgerpress.features.posts.corrections.decisions import NewCorrection
from ledgerpress.features.posts.corrections.model import CorrectedPost, CorrectionKind
from ledgerpress.features.posts.create_edit_categorize_commands import (
    WRITE_ANY_OR_OWN_POST,
    ContentFacts,
    EditPost,
    PostCommand,
    check_own_post,
)
from ledgerpress.features.posts.lifecycle_commands import PublishPost
from ledgerpress.features.posts.model import Post


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionFacts(ContentFacts):
    """The facts of a change of content, with the id of a new correction, and the post with its corrections."""

    corrected: CorrectedPost


async def _facts(
    context: CommandContext, post: LoadedStream[Post], *, added: tuple[Event, ...] = ()
) -> CorrectionFacts:
    corrected = await decisions.load(context, post.state.id)
    return CorrectionFacts(
        now=context.now, new_id=context.new_id("correction"), added=added, corrected=corrected
    )


class CorrectionCommand(PostCommand[CorrectionFacts]):
    """A command on the corrections of a post."""

    __slots__ = ()

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> CorrectionFacts:
        return await _facts(context, post)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCorrection(CorrectionCommand):
    """Add a correction to a published revision of the post, by default to the one published last."""

    fingerprint_name: ClassVar[str] = "AddCorrection"

    correction: NewCorrection
    revision: int | None = None

    def change(self, post: Post, facts: CorrectionFacts) -> tuple[Event, ...]:
        """Return the event. Raises `Rejection` for a revision that was never published."""
        return (decisions.record(facts.corrected, self.correction, id=facts.new_id, revision=self.revision),)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewordCorrection(CorrectionCommand):
    """Change the wording of a correction. `UNSET` means unchanged, `None` means cleared."""

    fingerprint_name: ClassVar[str] = "RewordCorrection"

    correction_id: str
    kind: CorrectionKind | UnsetType = UNSET
    note: str | UnsetType = UNSET
    passage: str | UnsetType | None = UNSET

    def change(self, post: Post, facts: CorrectionFacts) -> tuple[Event, ...]:
        """Return the rewording, or nothing if the correction has this wording. Raises `Rejection`."""
        return decisions.reword(
            facts.corrected, self.correction_id, kind=self.kind, note=self.note, passage=self.passage
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetractCorrection(CorrectionCommand):
    """Hide a correction from readers. The history shows it to editors."""

    fingerprint_name: ClassVar[str] = "RetractCorrection"

    correction_id: str

    def change(self, post: Post, facts: CorrectionFacts) -> tuple[Event, ...]:
        """Return the retraction, or nothing if the correction is retracted. Raises `Rejection`."""
        return decisions.retract(facts.corrected, self.correction_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishWithCorrection(PublishPost):
    """Publish the current revision of the post, and add a correction to it."""

    fingerprint_name: ClassVar[str] = "PublishWithCorrection"

    with_correction: NewCorrection

    def change(self, post: Post, facts: CorrectionFacts) -> tuple[Event, ...]:  # type: ignore[override]
        """Return the publication if readers would see a change, and the correction. Raises `Rejection`."""
        if self.correction is not None:
            message = "Give either correction or withCorrection."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("withCorrection",))
        publication = PublishPost.change(self, post, facts)
        return *publication, _correction_of(publication, self.with_correction, facts)

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> CorrectionFacts:
        return await _facts(context, post)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditWithCorrection(EditPost):
    """Edit the content of a post, publish the result, and add a correction to it."""

    fingerprint_name: ClassVar[str] = "EditWithCorrection"

    with_correction: NewCorrection

    def change(self, post: Post, facts: CorrectionFacts) -> tuple[Event, ...]:  # type: ignore[override]
        """Return the edit and the publication if there are any, and the correction. Raises `Rejection`."""
        if not self.publish:
            message = "withCorrection requires publish: true. Set publish to true, or omit withCorrection."
            raise Rejection(ErrorCode.INVALID_VALUE, message, field=("withCorrection",))
        events = EditPost.change(self, post, facts)
        return *events, _correction_of(events, self.with_correction, facts)

    async def facts(self, context: CommandContext, post: LoadedStream[Post]) -> CorrectionFacts:
        return await _facts(context, post, added=(await EditPost.facts(self, context, post)).added)


def _correction_of(publication: tuple[Event, ...], new: NewCorrection, facts: CorrectionFacts) -> Event:
    return decisions.record_with_publication(facts.corrected, publication, new, id=facts.new_id)


COMMANDS: Final = commands(
    WRITE_ANY_OR_OWN_POST,
    AddCorrection,
    RewordCorrection,
    RetractCorrection,
    PublishWithCorrection,
    EditWithCorrection,
    check_own=check_own_post,
)
