"""The history's part of the GraphQL schema, and what features that require the history need for theirs."""

from typing import Final

from ledgerpress.commands.roles_and_permissions import READ_HISTORY, RequiredPermission
from ledgerpress.features.actors.permissions import READ_OWN_POSTS
from ledgerpress.features.categories.schema.category_type_and_queries import Category
from ledgerpress.features.history.schema.added_fields import CategoryFields, PostFields
from ledgerpress.features.history.schema.change import Change, change_of
from ledgerpress.features.history.schema.diff_and_blame import (
    BlameSpan,
    BodyDiff,
    DiffSpan,
    FieldDiff,
    PostDiff,
    diff_of,
)
from ledgerpress.features.history.schema.queries import (
    ChangeFilter,
    ChangeOrder,
    ChangeQueries,
    listed_changes,
)
from ledgerpress.features.history.schema.subscriptions import ChangeSubscriptions
from ledgerpress.features.posts.schema.types import Post
from ledgerpress.graphql.feature_declarations import SchemaContribution

__all__ = [
    "SCHEMA",
    "BlameSpan",
    "BodyDiff",
    "Change",
    "ChangeFilter",
    "ChangeOrder",
    "DiffSpan",
    "FieldDiff",
    "PostDiff",
    "change_of",
    "diff_of",
    "listed_changes",
]

_OF_POSTS: Final = RequiredPermission(READ_HISTORY, own=READ_OWN_POSTS)

SCHEMA: Final = SchemaContribution(
    query=ChangeQueries,
    subscription=ChangeSubscriptions,
    extends={Post: PostFields, Category: CategoryFields},
    permissions={
        "Query.changes": _OF_POSTS,
        "Subscription.changes": _OF_POSTS,
        "Post.blame": _OF_POSTS,
        "Post.diff": _OF_POSTS,
        "Post.history": _OF_POSTS,
        "Category.history": RequiredPermission(READ_HISTORY),
    },
    objects=dict.fromkeys(("BlameSpan", "BodyDiff", "Change", "DiffSpan", "FieldDiff", "PostDiff")),
    weights={
        # Each of these reads an event from the log.
        **{
            f"Change.{name}": 1.0 for name in ("actor", "before", "after", "event", "changedFields", "reason")
        },
        "Post.diff": 25.0,
        "Post.blame": 100.0,
    },
    sizes={"BodyDiff.spans": 100, "Post.blame": 100},
)
