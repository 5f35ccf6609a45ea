"""What each field takes, and the one place where that is asked.

A field that is not in the table is open to everyone who holds the object that it belongs to; but one of the roots
(queries, mutations, subscriptions) has to be named, and takes every permission until it is. Which objects there are for
whom is told by `Sight`; what it comes to for each role stands in `docs/reference/access.md`.
"""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Final

from graphql import GraphQLField, GraphQLNonNull, GraphQLObjectType, GraphQLSchema, default_field_resolver

from ledgerpress.commands.identity import Permission, RequiredPermission
from ledgerpress.graphql.access.past_access import AccessDenied
from ledgerpress.graphql.context import Context

GUARDED: Final = "ledgerpress-guarded"
"""The extension of a field whose resolver has to be called: it asks whether the caller may have it."""

_READ_POSTS: Final = RequiredPermission(Permission.READ_POSTS, own=Permission.READ_OWN_POSTS)
_HISTORY: Final = RequiredPermission(Permission.READ_HISTORY, own=Permission.READ_OWN_POSTS)
_WRITE_POSTS: Final = RequiredPermission(Permission.WRITE_POSTS, own=Permission.WRITE_OWN_POSTS)
_CATEGORIES: Final = RequiredPermission(Permission.WRITE_CATEGORIES)
_PEOPLE: Final = RequiredPermission(Permission.WRITE_PEOPLE)

FIELD_PERMISSIONS: Final[dict[str, RequiredPermission | None]] = {
    "Query.article": None,
    "Query.articles": None,
    "Query.author": None,
    "Query.authors": None,
    "Query.categories": None,
    "Query.category": None,
    "Query.changes": _HISTORY,
    "Query.moment": None,
    "Query.node": None,
    "Query.nodes": None,
    "Query.post": _READ_POSTS,
    "Query.posts": _READ_POSTS,
    "Query.projections": RequiredPermission(Permission.READ_OPERATIONS),
    "Query.recentPosts": None,
    "Query.site": None,
    "Query.tokens": RequiredPermission(Permission.READ_TOKENS),
    "Query.viewer": None,
    "Category.history": RequiredPermission(Permission.READ_HISTORY),
    "Post.blame": _HISTORY,
    "Post.diff": _HISTORY,
    "Post.history": _HISTORY,
    "Mutation.postCreate": _WRITE_POSTS,
    "Mutation.postEdit": _WRITE_POSTS,
    "Mutation.postCategorize": _WRITE_POSTS,
    "Mutation.postUncategorize": _WRITE_POSTS,
    "Mutation.postPublish": _WRITE_POSTS,
    "Mutation.postUnpublish": _WRITE_POSTS,
    "Mutation.postArchive": _WRITE_POSTS,
    "Mutation.postUnarchive": _WRITE_POSTS,
    "Mutation.postRestore": _WRITE_POSTS,
    "Mutation.postRevert": _WRITE_POSTS,
    "Mutation.categoryCreate": _CATEGORIES,
    "Mutation.categoryRename": _CATEGORIES,
    "Mutation.categoryDescribe": _CATEGORIES,
    "Mutation.categoryMove": _CATEGORIES,
    "Mutation.categoryMerge": _CATEGORIES,
    "Mutation.categoryDelete": _CATEGORIES,
    "Mutation.authorRegister": _PEOPLE,
    "Mutation.authorRename": _PEOPLE,
    "Mutation.siteName": RequiredPermission(Permission.WRITE_SITE),
    "Mutation.tokenCreate": RequiredPermission(Permission.WRITE_TOKENS),
    "Mutation.tokenRevoke": RequiredPermission(Permission.WRITE_TOKENS),
    "Subscription.articleChanged": None,
    "Subscription.changes": _HISTORY,
    "Subscription.recentPosts": None,
}
"""What fields take; `None` is nothing. Where `own` suffices, what lies behind the field sees to whose the post is."""

OBJECT_PERMISSIONS: Final[dict[str, RequiredPermission]] = {
    "ApiToken": RequiredPermission(Permission.READ_TOKENS),
    "Post": _READ_POSTS,
    "Actor": _HISTORY,
}
"""Objects that are not everyone's to see, wherever they are come by. `Sight` decides; this says what it comes to."""


def required_permission(schema: GraphQLSchema, type_name: str, field_name: str) -> RequiredPermission | None:
    """Return what a field takes, `None` where it is nothing."""
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    undecided = RequiredPermission(None) if type_name in {root.name for root in roots if root} else None
    return FIELD_PERMISSIONS.get(f"{type_name}.{field_name}", undecided)


def guard_fields(schema: GraphQLSchema) -> None:
    """Let every field that takes a permission ask for it, before anything is read for it.

    Such a field is nullable, so that a refusal takes nothing of the answer away but the field itself. A subscription is
    asked when it begins.
    """
    for named in schema.type_map.values():
        if not isinstance(named, GraphQLObjectType):
            continue
        for name, field in named.fields.items():
            if need := required_permission(schema, named.name, name):
                _guard(field, need)


def _guard(field: GraphQLField, need: RequiredPermission) -> None:
    if field.subscribe:
        field.subscribe = _asking(field.subscribe, need)
    else:
        field.resolve = _asking(field.resolve or default_field_resolver, need)
        if isinstance(field.type, GraphQLNonNull):
            field.type = field.type.of_type
    field.extensions = {**field.extensions, GUARDED: True}


def _asking(resolve: Callable[..., Any], need: RequiredPermission) -> Callable[..., Any]:
    """Return a resolver of the same kind, which asks first."""
    if iscoroutinefunction(resolve):

        @wraps(resolve)
        async def asking_async(source: Any, info: Any, **arguments: Any) -> Any:
            require(info.context, need, source)
            return await resolve(source, info, **arguments)

        return asking_async

    @wraps(resolve)
    def asking(source: Any, info: Any, **arguments: Any) -> Any:
        require(info.context, need, source)
        return resolve(source, info, **arguments)

    return asking


def require(context: Context, need: RequiredPermission, source: Any = None) -> None:
    """Raise `AccessDenied` unless the caller has what is needed for a field of `source`, which is `None` at the roots."""
    identity = context.identity
    if identity.meets(need):
        return
    if identity.meets_with_own(need) and (source is None or source.is_own):
        return
    raise AccessDenied(identity, need.permission)
