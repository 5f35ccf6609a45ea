"""Every event that was ever stored: its name, the newest version of its schema, and the class that reads it.

A name or a version, once shipped, stays. A new version of an event's schema takes the old one's place here,
and an upcaster in `UPCASTERS` brings the stored old ones to it, one step each.
"""

from collections.abc import Callable
from typing import Any, Final

from ledgerpress.eventlog.event import WITHDRAWAL, Event, PayloadWithdrawn
from ledgerpress.eventlog.leases import events as leases
from ledgerpress.features.actors import model as actors
from ledgerpress.features.authors import model as authors
from ledgerpress.features.categories import model as categories
from ledgerpress.features.posts import model as posts
from ledgerpress.features.site import model as publication
from ledgerpress.features.slugs import model as slugs
from ledgerpress.features.tokens import model as tokens
from ledgerpress.views.projection import skips

EVENT_TYPES: Final[tuple[tuple[str, int, type[Event]], ...]] = (
    ("log.opened", 1, publication.LogOpened),
    ("site.named", 1, publication.SiteNamed),
    (WITHDRAWAL, 1, PayloadWithdrawn),
    (skips.SKIP, 1, skips.ProjectionSkipped),
    (leases.TAKEN, 1, leases.LeaseTaken),
    ("actor.registered", 1, actors.ActorRegistered),
    ("actor.renamed", 1, actors.ActorRenamed),
    ("token.created", 1, tokens.TokenCreated),
    ("token.revoked", 1, tokens.TokenRevoked),
    ("author.registered", 1, authors.AuthorRegistered),
    ("author.renamed", 1, authors.AuthorRenamed),
    ("category.created", 1, categories.CategoryCreated),
    ("category.renamed", 1, categories.CategoryRenamed),
    ("category.described", 1, categories.CategoryDescribed),
    ("category.moved", 1, categories.CategoryMoved),
    ("category.merged", 1, categories.CategoryMerged),
    ("category.deleted", 1, categories.CategoryDeleted),
    ("slug.claimed", 1, slugs.SlugClaimed),
    ("slug.released", 1, slugs.SlugReleased),
    ("post.created", 1, posts.PostCreated),
    ("post.edited", 1, posts.PostEdited),
    ("post.categorized", 1, posts.PostCategorized),
    ("post.uncategorized", 1, posts.PostUncategorized),
    ("post.published", 1, posts.PostPublished),
    ("post.unpublished", 1, posts.PostUnpublished),
    ("post.archived", 1, posts.PostArchived),
    ("post.unarchived", 1, posts.PostUnarchived),
    ("post.restored", 1, posts.PostRestored),
    ("post.reverted", 1, posts.PostReverted),
)

UPCASTERS: Final[dict[tuple[str, int], Callable[[dict[str, Any]], dict[str, Any]]]] = {}
"""(name, version) to the pure step that brings data of that version to the next. None so far."""
