"""How to come to every type of the schema, and how to carry out every mutation.

Nothing here is left to chance: a type, an argument or a mutation that is new has to be given a way, or the walk fails.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    is_leaf_type,
    is_non_null_type,
)

_POST: Final = "post(id: $post) { %s }"
_ARTICLE: Final = "article(slug: $slug) { %s }"
_DIFF: Final = _POST % "diff(from: 0, to: 2) { %s }"

WAYS: Final[dict[str, str]] = {
    "Actor": "node(id: $actor) { ... on Actor { %s } }",
    "ApiToken": "tokens { nodes { %s } }",
    "ApiTokenConnection": "tokens { %s }",
    "ApiTokenEdge": "tokens { edges { %s } }",
    "Article": _ARTICLE,
    "ArticleConnection": "recentPosts { %s }",
    "ArticleEdge": "recentPosts { edges { %s } }",
    "Author": "author(id: $author) { %s }",
    "AuthorConnection": "authors { %s }",
    "AuthorEdge": "authors { edges { %s } }",
    "BlameSpan": _POST % "blame { %s }",
    "Body": _ARTICLE % "body { %s }",
    "BodyDiff": _DIFF % "body { %s }",
    "Category": 'category(slug: "news") { %s }',
    "CategoryConnection": "categories { %s }",
    "CategoryEdge": "categories { edges { %s } }",
    "Change": _POST % "history { nodes { %s } }",
    "ChangeConnection": _POST % "history { %s }",
    "ChangeEdge": _POST % "history { edges { %s } }",
    "Correction": _ARTICLE % "corrections { %s }",
    "DiffSpan": _DIFF % "body { spans { %s } }",
    "Digest": "projections { digest { %s } }",
    "FieldDiff": _DIFF % "title { %s }",
    "Moment": "moment { %s }",
    "PageInfo": "recentPosts { pageInfo { %s } }",
    "Post": _POST,
    "PostConnection": "posts { %s }",
    "PostDiff": _DIFF,
    "PostEdge": "posts { edges { %s } }",
    "Projection": "projections { %s }",
    "Section": _ARTICLE % "body { sections { %s } }",
    "Site": "site { %s }",
    "Viewer": "viewer { %s }",
}
"""The way from the query to each type. `$post`, `$slug` and `$actor` are the caller's own, or another's."""

RESULTS: Final[dict[str, tuple[str, str]]] = {
    "AuthorPayload": ("authorRename", "%s"),
    "CategoryPayload": ("categoryDescribe", "%s"),
    "PostPayload": ("postEdit", "%s"),
    "PostRestorePayload": ("postRestore", "%s"),
    "SitePayload": ("siteName", "%s"),
    "TokenCreatePayload": ("tokenCreate", "%s"),
    "TokenPayload": ("tokenRevoke", "%s"),
    "UserError": ("postEdit", "userErrors { %s }"),
}
"""The types that come of mutations: of which, and where."""

MUTATIONS: Final[dict[str, dict[str, Any]]] = {
    "authorRegister": {"name": "New"},
    "authorRename": {"id": "$author", "name": "Renamed $number"},
    "categoryCreate": {"name": "New"},
    "categoryDelete": {"category": {"slug": "$category"}},
    "categoryDescribe": {"category": {"slug": "$category"}, "description": "Described."},
    "categoryMerge": {"category": {"slug": "$category"}, "into": {"slug": "news"}},
    "categoryMove": {"category": {"slug": "$category"}, "parent": {"slug": "news"}},
    "categoryRename": {"category": {"slug": "$category"}, "name": "Renamed"},
    "postArchive": {"id": "$post"},
    "postCategorize": {"id": "$post", "category": {"slug": "sport"}},
    "postCreate": {"title": "New", "slug": "new-$number", "publish": True},
    "postEdit": {"id": "$post", "title": "Edited", "slug": "edited-$number", "publish": True},
    "postPublish": {"id": "$post", "correction": "Corrected."},
    "postRestore": {"id": "$post", "toVersion": 1},
    "postRevert": {"id": "$post", "version": 4},
    "postUnarchive": {"id": "$archived"},
    "postUncategorize": {"id": "$post", "category": {"slug": "news"}},
    "postUnpublish": {"id": "$post"},
    "siteName": {"name": "Named $number"},
    "tokenCreate": {"name": "New", "role": "READER"},
    "tokenRevoke": {"id": "$token"},
}
"""What to give each mutation, so that it has something to do."""

SUBSCRIPTIONS: Final[dict[str, tuple[str, str]]] = {
    "articleChanged": ("ArticleChanged", "articleChanged(slug: $slug) { %s }"),
    "changes": ("Change", "changes(fromPosition: 0, filter: { stream: $post }) { %s }"),
    "recentPosts": ("ArticleConnection", "recentPosts { %s }"),
}
"""What each subscription gives, and how to ask for it."""

QUERIES: Final[dict[str, str]] = {
    "article": "article(slug: $slug) { id }",
    "author": "author(id: $author) { id }",
    "category": 'category(slug: "news") { id }',
    "changes": "changes(filter: { stream: $post }) { totalCount }",
    "node": "node(id: $author) { id }",
    "nodes": "nodes(ids: [$author]) { id }",
    "post": "post(id: $post) { id }",
}
"""How to ask what has arguments."""

ARGUMENTS: Final[dict[str, str]] = {"Post.diff": "(from: 0, to: 1)"}
"""What to give a field that has to be given something."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object type."""

    type: str
    name: str
    field: GraphQLField

    @property
    def coordinate(self) -> str:
        """The field's schema coordinate."""
        return f"{self.type}.{self.name}"

    @property
    def selection(self) -> str:
        """The field with its arguments, and something selected where it is not a leaf."""
        given = ARGUMENTS.get(self.coordinate, "")
        missing = [
            name
            for name, argument in self.field.args.items()
            if is_non_null_type(argument.type)
            and f"{name}:" not in given
            and argument.default_value is Undefined
        ]
        assert not missing, f"{self.coordinate} has to be given {missing}: say what, in ARGUMENTS"
        below = "" if is_leaf_type(get_named_type(self.field.type)) else " { __typename }"
        return f"{self.name}{given}{below}"


def every_field(schema: GraphQLSchema) -> Iterator[Field]:
    """Yield every field of every object type but those of introspection."""
    for named in schema.type_map.values():
        if isinstance(named, GraphQLObjectType) and not named.name.startswith("__"):
            for name, field in named.fields.items():
                yield Field(named.name, name, field)


def root_selection(field: Field) -> str:
    """Return how to ask for a field of the query."""
    if field.name in QUERIES:
        return QUERIES[field.name]
    return field.selection
