"""Changes of the slug of a post: which slugs a command claims and releases together with its events."""

from collections.abc import Sequence
from typing import NamedTuple

from ledgerpress.commands.command_request_and_context import CommandContext
from ledgerpress.commands.errors import Rejection
from ledgerpress.commands.streams_and_append_plan import PlannedWrite
from ledgerpress.features.posts.model import POSTS, Post
from ledgerpress.features.slugs.claim_and_release_writes import claim_derived_slug, claim_slug, release_slug
from ledgerpress.features.slugs.model import SLUG_TAKEN, SlugKind


class NewSlug(NamedTuple):
    """A slug that a post gets, and the writes that claim it and release the old one."""

    slug: str
    writes: Sequence[PlannedWrite] = ()


async def slug_change(context: CommandContext, post: Post, slug: str) -> NewSlug:
    """Change the slug of a post. Raises `Rejection` if the slug is taken.

    The old slug is released, unless it was ever published.
    """
    if slug == post.content.slug:
        return NewSlug(slug)
    return await _replacing_old(context, post, slug, await claim_post_slug(context, slug, post.id))


async def derived_slug_change(context: CommandContext, post: Post, text: str) -> NewSlug:
    """Change the slug of a post to a free one that is derived from a text. It can be the slug that the post has."""
    slug, claim = await claim_derived_slug(context, SlugKind.POST, text, owner_id=post.id)
    return await _replacing_old(context, post, slug, claim)


async def claimed_again(context: CommandContext, post: Post, text: str) -> NewSlug:
    """Claim the released slug of an archived post or, if it is taken, one that is derived from a text."""
    slug = post.content.slug
    try:
        return NewSlug(slug, (await claim_slug(context, SlugKind.POST, slug, owner_id=post.id),))
    except Rejection as rejection:
        if rejection.code != SLUG_TAKEN:
            raise
        return await derived_slug_change(context, post, text)


async def claim_post_slug(context: CommandContext, slug: str, post_id: str) -> PlannedWrite:
    """Return the write that claims a slug for a post. Raises `Rejection` if it is taken.

    The rejection names the post that has the slug; for clients that do not see the post, its article, if the slug is
    public.
    """
    try:
        return await claim_slug(context, SlugKind.POST, slug, owner_id=post_id)
    except Rejection as rejection:
        for _, holder_id in rejection.holders:
            holder = (await context.load(POSTS, holder_id)).state
            if holder and slug in holder.published_slugs:
                rejection.holders += (("Article", holder_id),)
        raise


async def release_current_slug(context: CommandContext, post: Post) -> PlannedWrite:
    return await release_slug(context, SlugKind.POST, post.content.slug, owner_id=post.id)


async def _replacing_old(context: CommandContext, post: Post, slug: str, claim: PlannedWrite) -> NewSlug:
    if slug == post.content.slug or post.content.slug in post.published_slugs or not post.has_slug:
        return NewSlug(slug, (claim,))
    return NewSlug(slug, (claim, await release_current_slug(context, post)))
