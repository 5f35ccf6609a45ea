"""Writes that claim and release slugs. Commands on posts, categories and authors append them together with their own."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.streams_and_append_plan import LoadedStream, PlannedWrite
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.model import SLUGS, Slug, SlugKind

StreamIfFree: TypeAlias = Callable[[int], Awaitable[LoadedStream[Slug] | None]]
UnclaimedOwner: TypeAlias = Callable[[str], Awaitable[str | None]]
"""Returns the id of the owner of a slug that was never claimed, since it follows from earlier events; `None` if none."""
_TRIED_IN_ORDER: Final = 8
"""The numbers up to which the lowest free one is found, even if a number before it was released."""


async def claim_slug(
    context: CommandContext,
    kind: SlugKind,
    slug: str,
    *,
    owner_id: str,
    unclaimed_owner: UnclaimedOwner | None = None,
) -> PlannedWrite:
    """Return the write that claims a slug. Raises `Rejection` if the slug is taken.

    A new slug must be `checked` first. A recorded slug may be claimed again as it is.
    """
    stream = await _load(context, kind, slug, unclaimed_owner)
    return stream.write(slugs.claim(stream.state, kind=kind, slug=slug, owner_id=owner_id))


async def claim_derived_slug(
    context: CommandContext,
    kind: SlugKind,
    text: str,
    *,
    owner_id: str,
    unclaimed_owner: UnclaimedOwner | None = None,
) -> tuple[str, PlannedWrite]:
    """Derive a free slug from a title or a name, and return it with the write that claims it.

    If the derived slug is taken, a number is added: -2, -3 and so on. The number is free, and the one before it is
    taken. Finding it reads a number of streams that is logarithmic in the number of slugs.
    """
    base = slugs.derive(text, fallback=kind.value)

    async def stream_if_free(number: int) -> LoadedStream[Slug] | None:
        stream = await _load(context, kind, slugs.numbered(base, number), unclaimed_owner)
        return stream if stream.state.owner_id in {None, owner_id} else None

    number, stream = await _first_free(stream_if_free)
    slug = slugs.numbered(base, number)
    return slug, stream.write(slugs.claim(stream.state, kind=kind, slug=slug, owner_id=owner_id))


async def release_slug(context: CommandContext, kind: SlugKind, slug: str, *, owner_id: str) -> PlannedWrite:
    stream = await _load(context, kind, slug)
    return stream.write(slugs.release(stream.state, kind=kind, slug=slug, owner_id=owner_id))


async def _load(
    context: CommandContext, kind: SlugKind, slug: str, unclaimed_owner: UnclaimedOwner | None = None
) -> LoadedStream[Slug]:
    stream = await context.load(SLUGS, slugs.stream_id(kind, slug, context.name_key))
    if stream.state.owner_id is None and unclaimed_owner is not None:
        return stream._replace(state=Slug(await unclaimed_owner(slug)))
    return stream


async def _first_free(stream_if_free: StreamIfFree) -> tuple[int, LoadedStream[Slug]]:
    """Return a free number after a taken one, with its stream: by trying, by doubling, then by bisection."""
    for number in range(1, _TRIED_IN_ORDER + 1):
        if stream := await stream_if_free(number):
            return number, stream
    lower, upper = _TRIED_IN_ORDER, 2 * _TRIED_IN_ORDER
    while (stream := await stream_if_free(upper)) is None:
        lower, upper = upper, 2 * upper
    while upper - lower > 1:
        middle = (lower + upper) // 2
        if middle_stream := await stream_if_free(middle):
            upper, stream = middle, middle_stream
        else:
            lower = middle
    return upper, stream
