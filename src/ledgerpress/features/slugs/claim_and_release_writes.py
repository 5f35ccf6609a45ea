"""Claims and releases slugs: the writes that commands on posts and categories add to their own."""

from itertools import count

from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.streams_and_append_plan import PlannedWrite
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.model import SLUG_TAKEN, SLUGS, SlugKind


async def claim_slug(context: CommandContext, kind: SlugKind, slug: str, *, owner_id: str) -> PlannedWrite:
    """Return the write that claims a slug. Raises `Rejection` if it is malformed or taken."""
    return await _claim(context, kind, slugs.checked(slug), owner_id)


async def claim_derived_slug(
    context: CommandContext, kind: SlugKind, text: str, *, owner_id: str
) -> tuple[str, PlannedWrite]:
    """Return a free slug derived from a title or a name, with -2, -3 … if need be, and the write that claims it."""
    base = slugs.derive(text, fallback=kind.value)
    for number in count(1):
        candidate = slugs.numbered(base, number)
        try:
            return candidate, await _claim(context, kind, candidate, owner_id)
        except Rejection as rejection:
            if rejection.code != SLUG_TAKEN:
                raise
    raise AssertionError("unreachable")


async def release_slug(context: CommandContext, kind: SlugKind, slug: str, *, owner_id: str) -> PlannedWrite:
    stream = await context.load(SLUGS, slugs.stream_id(kind, slug, context.name_key))
    return stream.write(slugs.release(stream.state, kind=kind, slug=slug, owner_id=owner_id))


async def _claim(context: CommandContext, kind: SlugKind, slug: str, owner_id: str) -> PlannedWrite:
    stream = await context.load(SLUGS, slugs.stream_id(kind, slug, context.name_key))
    return stream.write(slugs.claim(stream.state, kind=kind, slug=slug, owner_id=owner_id))
