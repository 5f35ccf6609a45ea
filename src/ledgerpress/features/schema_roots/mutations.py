"""The mutations, object first: one for each thing that can be done. What an editor can get wrong is data."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol, TypeVar

import strawberry

from ledgerpress.commands.authorization import PermissionDenied
from ledgerpress.commands.declarations import Command
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.identity import Permission
from ledgerpress.commands.request import CommandRequest, CommandResult
from ledgerpress.features import people_queries
from ledgerpress.features.authors.schema import Author, author_of
from ledgerpress.features.categories import queries as categories
from ledgerpress.features.categories.schema import Category, category_of
from ledgerpress.features.posts import post_queries
from ledgerpress.features.posts.schema.post import Post, post_of, slug_kept
from ledgerpress.features.registry import FIRST_PARTY
from ledgerpress.features.schema_roots import inputs
from ledgerpress.features.site.schema import Site, site_of
from ledgerpress.features.tokens import queries as tokens
from ledgerpress.features.tokens.commands import new_secret, secret_hash
from ledgerpress.features.tokens.schema import ApiToken, token_of
from ledgerpress.graphql.access.past_access import AccessDenied
from ledgerpress.graphql.context import PointInTime, RequestInfo
from ledgerpress.graphql.scalars import Position
from ledgerpress.views.snapshot import Snapshot

_ErrorCode = StrEnum("_ErrorCode", {code: code for code in FIRST_PARTY.error_codes})  # type: ignore[misc]
ErrorCodeEnum = strawberry.enum(_ErrorCode, name="ErrorCode", description="Why a command was refused.")


@strawberry.type(description="Why a command was refused: an answer, not a failure.")
class UserError:
    """Why a command was refused."""

    code: ErrorCodeEnum  # type: ignore[valid-type]
    field: list[str] | None = strawberry.field(description="The path of the input that is at fault.")
    message: str
    current_version: int | None = strawberry.field(description="With VERSION_CONFLICT: the version there is.")
    conflicts: list[str] | None = strawberry.field(
        description="With REVERT_CONFLICT: the fields in which the change no longer applies; the message says where."
    )


@strawberry.interface(description="What comes of a command.")
class Payload:
    """What comes of a command."""

    position: Position | None = strawberry.field(
        description="The position of the command's last event; that of the log's head where there was nothing to do."
    )
    replayed: bool = strawberry.field(
        description="Whether the command had been carried out before, under this key."
    )
    views_behind: bool = strawberry.field(
        description="The command has succeeded, but the read models do not show it yet; the object is null."
    )
    user_errors: list[UserError]


@strawberry.type
class PostPayload(Payload):
    """What comes of a command on a post."""

    post: Post | None


@strawberry.type
class PostRestorePayload(Payload):
    """What comes of restoring a post."""

    post: Post | None
    to_version: strawberry.Private[int]

    @strawberry.field(
        description="Whether the post kept its slug because that of the version belongs to another post by now."
    )
    def slug_kept(self) -> bool | None:
        """Return whether the slug is not the version's; `None` without a post to tell by."""
        if self.post is None or self.position is None:
            return None
        return slug_kept(self.post, self.position, self.to_version)


@strawberry.type
class CategoryPayload(Payload):
    """What comes of a command on a category."""

    category: Category | None


@strawberry.type
class AuthorPayload(Payload):
    """What comes of a command on an author."""

    author: Author | None


@strawberry.type
class SitePayload(Payload):
    """What comes of a command on the site."""

    site: Site | None


@strawberry.type
class TokenCreatePayload(Payload):
    """What comes of making an API token."""

    token: ApiToken | None
    secret: str | None = strawberry.field(
        description="What to send as `Authorization: Bearer …`. It is not kept, so nobody can be told again: null where "
        "the command was carried out before."
    )


@strawberry.type
class TokenPayload(Payload):
    """What comes of a command on an API token."""

    token: ApiToken | None


class CommandInput(Protocol):
    """The input of a mutation."""

    def use_case(self) -> Command:
        """Return what is wanted. Raises `Rejection`."""
        ...

    def request(self) -> CommandRequest:
        """Return what surrounds it."""
        ...


@dataclass(frozen=True, slots=True)
class _NewToken:
    """The input for a new token, with its secret, and what whoever asks may do."""

    input: inputs.TokenCreateInput
    secret: str
    giver: frozenset[Permission]

    def use_case(self) -> Command:
        return self.input.use_case_with(secret_hash(self.secret), self.giver)

    def request(self) -> CommandRequest:
        return self.input.request()


P = TypeVar("P", bound=Payload)
R = TypeVar("R")
T = TypeVar("T")


async def _carry_out(
    info: RequestInfo,
    command: CommandInput,
    payload: Callable[..., P],
    name: str,
    read: Callable[[PointInTime, str], T | None],
) -> P:
    """Carry out a command, and return a payload whose object, called `name`, is read as the command left it."""
    context = info.context
    try:
        outcome: CommandResult = await context.store.commands.handle(
            command.use_case(), context.surround(command.request())
        )
    except PermissionDenied as refusal:
        raise AccessDenied(context.identity, refusal.permission) from None
    except Rejection as refusal:
        error = UserError(
            code=_ErrorCode(refusal.code),
            field=["input", *refusal.field] if refusal.field else None,
            message=refusal.message,
            current_version=refusal.current_version,
            conflicts=list(refusal.conflicts) or None,
        )
        return payload(position=None, replayed=False, views_behind=False, user_errors=[error], **{name: None})
    moment = context.renew()
    return payload(
        position=Position(outcome.position),
        replayed=outcome.replayed,
        views_behind=outcome.views_behind,
        user_errors=[],
        **{name: None if outcome.views_behind else read(moment, outcome.subject_id)},
    )


def _post(info: RequestInfo, command: CommandInput) -> Awaitable[PostPayload]:
    return _carry_out(info, command, PostPayload, "post", _read(post_queries.by_id, post_of))


def _category(info: RequestInfo, command: CommandInput) -> Awaitable[CategoryPayload]:
    return _carry_out(info, command, CategoryPayload, "category", _read(categories.by_id, category_of))


def _author(info: RequestInfo, command: CommandInput) -> Awaitable[AuthorPayload]:
    return _carry_out(info, command, AuthorPayload, "author", _read(people_queries.author, author_of))


def _read(
    by_id: Callable[[Snapshot, str], R | None], make: Callable[[R, PointInTime], T | None]
) -> Callable[[PointInTime, str], T | None]:
    def read(moment: PointInTime, subject_id: str) -> T | None:
        record = by_id(moment.snapshot, subject_id)
        return make(record, moment) if record is not None else None

    return read


def _site(moment: PointInTime, _: str) -> Site:
    return site_of(moment)


@strawberry.type
class Mutation:
    """What can be done."""

    @strawberry.mutation(description="Write a post; with publish, publish it in the same step.")
    async def post_create(self, info: RequestInfo, input: inputs.PostCreateInput) -> PostPayload:
        return await _post(info, input)

    @strawberry.mutation(description="Change a post; only what differs is recorded.")
    async def post_edit(self, info: RequestInfo, input: inputs.PostEditInput) -> PostPayload:
        return await _post(info, input)

    @strawberry.mutation(description="Put a post into a category; the listings show it at once.")
    async def post_categorize(self, info: RequestInfo, input: inputs.PostCategorizeInput) -> PostPayload:
        return await _post(info, input)

    @strawberry.mutation(description="Take a post out of a category.")
    async def post_uncategorize(self, info: RequestInfo, input: inputs.PostUncategorizeInput) -> PostPayload:
        return await _post(info, input)

    @strawberry.mutation(description="Publish a post as it is, or publish it anew.")
    async def post_publish(self, info: RequestInfo, input: inputs.PostPublishInput) -> PostPayload:
        return await _post(info, input)

    @strawberry.mutation(description="Take a post's article away from readers.")
    async def post_unpublish(self, info: RequestInfo, input: inputs.PostUnpublishInput) -> PostPayload:
        return await _post(info, input)

    @strawberry.mutation(description="Put a post away: no article, no edits.")
    async def post_archive(self, info: RequestInfo, input: inputs.PostArchiveInput) -> PostPayload:
        return await _post(info, input)

    @strawberry.mutation(description="Bring an archived post back, unpublished.")
    async def post_unarchive(self, info: RequestInfo, input: inputs.PostUnarchiveInput) -> PostPayload:
        return await _post(info, input)

    @strawberry.mutation(
        description="Give a post the content that it had at a version, as a new version. Status and categories stay."
    )
    async def post_restore(self, info: RequestInfo, input: inputs.PostRestoreInput) -> PostRestorePayload:
        payload = partial(PostRestorePayload, to_version=input.to_version)
        return await _carry_out(info, input, payload, "post", _read(post_queries.by_id, post_of))

    @strawberry.mutation(
        description="Take back what one version changed, as a new version that keeps what came since; refused with "
        "REVERT_CONFLICT where that no longer applies."
    )
    async def post_revert(self, info: RequestInfo, input: inputs.PostRevertInput) -> PostPayload:
        return await _post(info, input)

    @strawberry.mutation(description="Make a category.")
    async def category_create(self, info: RequestInfo, input: inputs.CategoryCreateInput) -> CategoryPayload:
        return await _category(info, input)

    @strawberry.mutation(description="Give a category another name, slug or both.")
    async def category_rename(self, info: RequestInfo, input: inputs.CategoryRenameInput) -> CategoryPayload:
        return await _category(info, input)

    @strawberry.mutation(description="Say what a category is about.")
    async def category_describe(
        self, info: RequestInfo, input: inputs.CategoryDescribeInput
    ) -> CategoryPayload:
        return await _category(info, input)

    @strawberry.mutation(description="Put a category under another, or at the top.")
    async def category_move(self, info: RequestInfo, input: inputs.CategoryMoveInput) -> CategoryPayload:
        return await _category(info, input)

    @strawberry.mutation(description="Let another category take a category over; the payload has the other.")
    async def category_merge(self, info: RequestInfo, input: inputs.CategoryMergeInput) -> CategoryPayload:
        return await _category(info, input)

    @strawberry.mutation(description="Delete an empty category; the payload's category is null.")
    async def category_delete(self, info: RequestInfo, input: inputs.CategoryDeleteInput) -> CategoryPayload:
        return await _category(info, input)

    @strawberry.mutation(description="Make an author known.")
    async def author_register(self, info: RequestInfo, input: inputs.AuthorRegisterInput) -> AuthorPayload:
        return await _author(info, input)

    @strawberry.mutation(description="Give an author another name.")
    async def author_rename(self, info: RequestInfo, input: inputs.AuthorRenameInput) -> AuthorPayload:
        return await _author(info, input)

    @strawberry.mutation(description="Name the site.")
    async def site_name(self, info: RequestInfo, input: inputs.SiteNameInput) -> SitePayload:
        return await _carry_out(info, input, SitePayload, "site", _site)

    @strawberry.mutation(description="Make an API token; nobody can give what they may not do themselves.")
    async def token_create(self, info: RequestInfo, input: inputs.TokenCreateInput) -> TokenCreatePayload:
        context = info.context
        new = _NewToken(input, new_secret(context.store.randomness), context.identity.permissions)
        payload = partial(TokenCreatePayload, secret=None)
        made = await _carry_out(info, new, payload, "token", _read(tokens.by_id, token_of))
        if not made.replayed and not made.user_errors:
            made.secret = new.secret
        return made

    @strawberry.mutation(description="Let an API token work no more, at once and for ever.")
    async def token_revoke(self, info: RequestInfo, input: inputs.TokenRevokeInput) -> TokenPayload:
        return await _carry_out(info, input, TokenPayload, "token", _read(tokens.by_id, token_of))
