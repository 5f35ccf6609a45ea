"""The GraphQL schema of site pages and of the menu."""

from typing import Final

import strawberry

from ledgerpress.commands.roles_and_permissions import RequiredPermission
from ledgerpress.features.actors.permissions import READ_POSTS
from ledgerpress.features.site_pages.schema.menu import MenuMutations, MenuQueries
from ledgerpress.features.site_pages.schema.mutations import PageMutations
from ledgerpress.features.site_pages.schema.types_and_queries import (
    Page,
    PageDraft,
    PageQueries,
    load_draft,
    load_page,
    moment_of_drafts,
)
from ledgerpress.graphql.feature_declarations import SchemaContribution

_DRAFTS: Final = RequiredPermission(READ_POSTS)


@strawberry.type
class _Queries(PageQueries, MenuQueries):
    """The queries of site pages and of the menu."""


@strawberry.type
class _Mutations(PageMutations, MenuMutations):
    """The mutations of site pages and of the menu."""


SCHEMA: Final = SchemaContribution(
    query=_Queries,
    mutation=_Mutations,
    types=(Page, PageDraft),
    permissions={
        "Query.page": None,
        "Query.pages": None,
        "Query.menu": None,
        "Query.pageDraft": _DRAFTS,
        "Query.pageDrafts": _DRAFTS,
    },
    objects={"Page": None, "Menu": None, "MenuItem": None, "PageDraft": _DRAFTS},
    nodes={"Page": load_page, "PageDraft": load_draft},
    moments={"PageDraft": moment_of_drafts},
    sizes={"Menu.items": 10},
)
