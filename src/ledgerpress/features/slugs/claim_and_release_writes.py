"""Writes that claim and release slugs. Commands on posts and categories append them together with their own."""

from itertools import count

from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.streams_and_append_plan import PlannedWrite
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.slugs.model import SLUG_TAKEN, SLUGS, SlugKind


async def claim_slug(context: CommandContext, kind: SlugKind, slug: str, *, owner_id: str) -> PlannedWrite:
    """Return the write that claims a slug. Raises `Rejection` if the slug is malformed or taken."""
    return await _claim(context, kind, slugs.checked(slug), owner_id)


async def claim_derived_slug(
    context: CommandContext, kind: SlugKind, text: str, *, owner_id: str
) -> tuple[str, PlannedWrite]:
    """Derive a free slug from a title or a name, and return it with the write that claims it.

    If the derived slug is taken, a number is added: -2, -3 and so on.
    """
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
