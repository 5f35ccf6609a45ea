"""The GraphQL mutations of corrections, and their inputs."""

from functools import partial

import strawberry

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.features.posts import correction_commands
from ledgerpress.features.posts.corrections import queries
from ledgerpress.features.posts.corrections.decisions import NewCorrection
from ledgerpress.features.posts.corrections.model import CorrectionKind
from ledgerpress.features.posts.schema.corrections import Correction, CorrectionKindEnum, load_correction
from ledgerpress.features.posts.schema.types import Post, load_post
from ledgerpress.graphql.context import RequestInfo
from ledgerpress.graphql.feature_declarations import runs
from ledgerpress.graphql.input_rules import clearable_field, given_value, given_value_or_null, kept_field
from ledgerpress.graphql.mutations import MutationInput, Payload, run_command
from ledgerpress.graphql.relay import global_ids


@strawberry.input(description="A correction that is recorded together with a publication.")
class CorrectionInput:
    kind: CorrectionKindEnum = strawberry.field(default=CorrectionKind.CORRECTION)  # type: ignore[valid-type]
    note: str = strawberry.field(description="What readers see, at most 1,000 characters.")
    passage: str | None = strawberry.field(
        default=None,
        description="A quotation of the words that the note is about, from the title, the teaser or the body, or of"
        " those that they replaced in the revision published before.",
    )

    def new_correction(self) -> NewCorrection:
        return NewCorrection(kind=self.kind, note=self.note, passage=self.passage)


@strawberry.input
class _OfPostInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The id of the post or of its article.")

    @property
    def post_id(self) -> str:
        """The id of the post. Raises `Rejection`."""
        return global_ids.in_input(self.id, "Post", "Article", field=("id",))


@strawberry.input
class CorrectionAddInput(_OfPostInput, CorrectionInput):
    """A post, and a correction of one of its published revisions."""

    revision: int | None = strawberry.field(
        default=None, description="A published revision of the post. Default: the one published last."
    )

    def command(self) -> Command:
        return correction_commands.AddCorrection(
            post_id=self.post_id, correction=self.new_correction(), revision=self.revision
        )


@strawberry.input
class _OneCorrectionInput(_OfPostInput):
    correction: strawberry.ID = strawberry.field(description="The id of the correction.")

    @property
    def correction_id(self) -> str:
        """The id of the correction. Raises `Rejection`."""
        return global_ids.in_input(self.correction, "Correction", field=("correction",))


@strawberry.input
class CorrectionRewordInput(_OneCorrectionInput):
    """A correction, and new values for its fields."""

    kind: CorrectionKindEnum | None = kept_field()  # type: ignore[valid-type]
    note: str | None = kept_field()
    passage: str | None = clearable_field()

    def command(self) -> Command:
        return correction_commands.RewordCorrection(
            post_id=self.post_id,
            correction_id=self.correction_id,
            kind=given_value(self.kind),
            note=given_value(self.note),
            passage=given_value_or_null(self.passage),
        )


@strawberry.input
class CorrectionRetractInput(_OneCorrectionInput):
    def command(self) -> Command:
        return correction_commands.RetractCorrection(post_id=self.post_id, correction_id=self.correction_id)


@strawberry.type
class CorrectionPayload(Payload):
    post: Post | None
    correction_id: strawberry.Private[str | None] = None

    @strawberry.field(description="The correction; null if the viewer may not see the post.")
    def correction(self) -> Correction | None:
        if self.post is None or self.position is None:
            return None
        moment, post_id = self.post.moment, self.post.record.id
        added = queries.added_by(moment.snapshot, post_id, int(self.position))
        id_ = self.correction_id or added
        return load_correction(moment, id_) if id_ else None


@strawberry.type
class CorrectionMutations:
    @strawberry.mutation(
        description="Add a public note to a published revision of a post, without publishing the post again. Fails with"
        " `POST_NOT_PUBLISHED` if the post was never public.",
        metadata=runs(correction_commands.AddCorrection),
    )
    async def correction_add(self, info: RequestInfo, input: CorrectionAddInput) -> CorrectionPayload:
        return await run_command(info, input, input.command, CorrectionPayload, "post", load_post)

    @strawberry.mutation(
        description="Change the wording of a correction. Editors see the former wording in the history of the post.",
        metadata=runs(correction_commands.RewordCorrection),
    )
    async def correction_reword(self, info: RequestInfo, input: CorrectionRewordInput) -> CorrectionPayload:
        return await run_command(info, input, input.command, _payload_of(input.correction), "post", load_post)

    @strawberry.mutation(
        description="Retract a correction: readers no longer see it. Editors see it in the history of the post.",
        metadata=runs(correction_commands.RetractCorrection),
    )
    async def correction_retract(self, info: RequestInfo, input: CorrectionRetractInput) -> CorrectionPayload:
        return await run_command(info, input, input.command, _payload_of(input.correction), "post", load_post)


def _payload_of(correction: strawberry.ID) -> partial[CorrectionPayload]:
    decoded = global_ids.decode(correction)
    return partial(CorrectionPayload, correction_id=decoded.id if decoded else None)
