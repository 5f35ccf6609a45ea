"""How to reach every type of the schema, and how to run every mutation.

Each new type, required argument or mutation needs an entry here; otherwise the tests that use this module fail.
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
_REVISION_DIFF: Final = _ARTICLE % "revision(number: 2) { diff { %s } }"
_DIFF: Final = _POST % "diff(from: 0, to: 2) { %s }"

WAYS: Final[dict[str, str]] = {
    "ArticleRevision": _ARTICLE % "revision(number: 1) { %s }",
    "ArticleRevisionConnection": _ARTICLE % "revisions { %s }",
    "ArticleRevisionDiff": _ARTICLE % "revision(number: 1) { diff(from: 1) { %s } }",
    "ArticleRevisionEdge": _ARTICLE % "revisions { edges { %s } }",
    "CorrectionEntry": "corrections { nodes { %s } }",
    "CorrectionEntryConnection": "corrections { %s }",
    "CorrectionEntryEdge": "corrections { edges { %s } }",
    "FrontPageComparison": "frontPageComparison(from: {position: 1}) { %s }",
    "FrontPagePlace": "frontPageComparison(from: {position: 1}) { added { %s } }",
    "InclusionProof": _ARTICLE % "revision(number: 1) { proof { %s } }",
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
    "BodyDiff": _REVISION_DIFF % "body { %s }",
    "Category": 'category(slug: "news") { %s }',
    "CategoryConnection": "categories { %s }",
    "CategoryEdge": "categories { edges { %s } }",
    "Change": _POST % "history { nodes { %s } }",
    "ChangeConnection": _POST % "history { %s }",
    "ChangeEdge": _POST % "history { edges { %s } }",
    "Correction": _ARTICLE % "corrections { %s }",
    "DiffSpan": _REVISION_DIFF % "body { spans { %s } }",
    "Digest": "projections { digest { %s } }",
    "FieldDiff": _REVISION_DIFF % "title { %s }",
    "Menu": "menu { %s }",
    "MenuItem": "menu { items { %s } }",
    "Moment": "moment { %s }",
    "Page": 'page(slug: "about") { %s }',
    "PageConnection": "pages { %s }",
    "PageDraft": 'pageDraft(slug: "about") { %s }',
    "PageDraftConnection": "pageDrafts { %s }",
    "PageDraftEdge": "pageDrafts { edges { %s } }",
    "PageEdge": "pages { edges { %s } }",
    "PageInfo": "recentPosts { pageInfo { %s } }",
    "Post": _POST,
    "PostConnection": "posts { %s }",
    "PostDiff": _DIFF,
    "PostEdge": "posts { edges { %s } }",
    "Projection": "projections { %s }",
    "Section": _ARTICLE % "body { sections { %s } }",
    "Site": "site { %s }",
    "SiteLogo": "site { logo { %s } }",
    "Viewer": "viewer { %s }",
}
"""The path from the query root to each type. `$post`, `$slug` and `$actor` belong to the current user or to another user."""

RESULTS: Final[dict[str, tuple[str, str]]] = {
    "AuthorPayload": ("authorRename", "%s"),
    "BulkPayload": ("bulk", "%s"),
    "CategoryPayload": ("categoryDescribe", "%s"),
    "CorrectionPayload": ("correctionAdd", "%s"),
    "MenuPayload": ("menuArrange", "%s"),
    "PagePayload": ("pageEdit", "%s"),
    "PostPayload": ("postEdit", "%s"),
    "PostRestorePayload": ("postRestore", "%s"),
    "SitePayload": ("siteName", "%s"),
    "TokenCreatePayload": ("tokenCreate", "%s"),
    "TokenPayload": ("tokenRevoke", "%s"),
    "UserError": ("bulk", "userErrors { %s }"),
}
"""The types that only mutations return: a mutation that returns the type, and the path to the type in its payload."""

MUTATIONS: Final[dict[str, dict[str, Any]]] = {
    "authorRegister": {"name": "New"},
    "authorRename": {"id": "$author", "name": "Renamed $number"},
    "bulk": {"mode": "ATOMIC", "commands": []},
    "categoryCreate": {"name": "New"},
    "categoryDelete": {"category": {"slug": "$category"}},
    "categoryDescribe": {"category": {"slug": "$category"}, "description": "Described."},
    "categoryMerge": {"category": {"slug": "$category"}, "into": {"slug": "news"}},
    "categoryMove": {"category": {"slug": "$category"}, "parent": {"slug": "news"}},
    "categoryRename": {"category": {"slug": "$category"}, "name": "Renamed"},
    "categoryUnmerge": {"category": {"slug": "$merged"}},
    "correctionAdd": {"id": "$post", "note": "Noted."},
    "correctionRetract": {"id": "$post", "correction": "$correction"},
    "correctionReword": {"id": "$post", "correction": "$correction", "note": "Reworded."},
    "menuArrange": {"items": [{"label": "Item $number", "target": {"address": "/"}}]},
    "pageCreate": {"title": "New", "slug": "new-$number"},
    "pageEdit": {"id": "$page", "title": "Edited $number"},
    "pagePublish": {"id": "$draft"},
    "pageUnpublish": {"id": "$page"},
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
    "siteDescribe": {"description": "Described $number."},
    "siteLocalize": {"language": "x-$number"},
    "siteName": {"name": "Named $number"},
    "tokenCreate": {"name": "New", "role": "READER"},
    "tokenRevoke": {"id": "$token"},
}
"""The input of each mutation, so that it has an effect; `bulk` has none, because it requires what its commands require."""

SUBSCRIPTIONS: Final[dict[str, tuple[str, str]]] = {
    "articleChanged": ("ArticleChanged", "articleChanged(slug: $slug) { %s }"),
    "changes": ("Change", "changes(fromPosition: 0, filter: { stream: $post }) { %s }"),
    "recentPosts": ("ArticleConnection", "recentPosts { %s }"),
}
"""The type that each subscription returns, and the document that selects it."""

QUERIES: Final[dict[str, str]] = {
    "article": "article(slug: $slug) { id }",
    "author": "author(id: $author) { id }",
    "category": 'category(slug: "news") { id }',
    "changes": "changes(filter: { stream: $post }) { totalCount }",
    "frontPageComparison": "frontPageComparison(from: {position: 1}) { added { to } }",
    "node": "node(id: $author) { id }",
    "nodes": "nodes(ids: [$author]) { id }",
    "page": 'page(slug: "about") { id }',
    "pageDraft": 'pageDraft(slug: "about") { id }',
    "post": "post(id: $post) { id }",
}
"""The selections of the query fields that need arguments."""

ARGUMENTS: Final[dict[str, str]] = {
    "Article.revision": "(number: 1)",
    "Post.diff": "(from: 0, to: 1)",
    "Query.frontPageComparison": "(from: {position: 1})",
}
"""The arguments of fields with required arguments."""


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
        """The field with its arguments, and with a selection unless it is a leaf."""
        arguments = ARGUMENTS.get(self.coordinate, "")
        missing = [
            name
            for name, argument in self.field.args.items()
            if is_non_null_type(argument.type)
            and f"{name}:" not in arguments
            and argument.default_value is Undefined
        ]
        assert not missing, f"{self.coordinate} needs the arguments {missing}: add them to ARGUMENTS"
        subselection = "" if is_leaf_type(get_named_type(self.field.type)) else " { __typename }"
        return f"{self.name}{arguments}{subselection}"


def every_field(schema: GraphQLSchema) -> Iterator[Field]:
    """Yield every field of every object type except the introspection types."""
    for named in schema.type_map.values():
        if isinstance(named, GraphQLObjectType) and not named.name.startswith("__"):
            for name, field in named.fields.items():
                yield Field(named.name, name, field)


def root_selection(field: Field) -> str:
    """Return the selection of a field of the query type."""
    if field.name in QUERIES:
        return QUERIES[field.name]
    return field.selection
