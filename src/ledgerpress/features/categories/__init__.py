"""The category tree: the manifest, and the public names for features above that write categories.

Features above import queries from `categories.queries`, GraphQL types from `categories.schema` and links for pages
from `categories.pages`: see docs/reference/public-modules.md.
"""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.categories import (
    article_counts_and_listings,
    commands,
    model,
    projector,
    queries,
    unmerge_command,
)
from ledgerpress.features.categories.commands import (
    WRITE_CATEGORIES,
    CreateCategory,
    DeleteCategory,
    DescribeCategory,
    MergeCategory,
    MoveCategory,
    RenameCategory,
)
from ledgerpress.features.categories.model import (
    CATEGORY_CYCLE,
    CATEGORY_NOT_EMPTY,
    CATEGORY_NOT_MERGED,
    CATEGORY_TOO_DEEP,
    TAXONOMY,
    UNMERGE_CONFLICT,
    Category,
    CategoryCreated,
    CategoryDeleted,
    CategoryDescribed,
    CategoryMerged,
    CategoryMoved,
    CategoryRef,
    CategoryRenamed,
    CategoryUnmerged,
    Taxonomy,
)
from ledgerpress.features.categories.unmerge_command import UnmergeCategory

__all__ = [
    "CATEGORY_CYCLE",
    "CATEGORY_NOT_EMPTY",
    "CATEGORY_NOT_MERGED",
    "CATEGORY_TOO_DEEP",
    "FEATURE",
    "TAXONOMY",
    "UNMERGE_CONFLICT",
    "WRITE_CATEGORIES",
    "Category",
    "CategoryCreated",
    "CategoryDeleted",
    "CategoryDescribed",
    "CategoryMerged",
    "CategoryMoved",
    "CategoryRef",
    "CategoryRenamed",
    "CategoryUnmerged",
    "CreateCategory",
    "DeleteCategory",
    "DescribeCategory",
    "MergeCategory",
    "MoveCategory",
    "RenameCategory",
    "Taxonomy",
    "UnmergeCategory",
]

FEATURE: Final = Feature(
    name="categories",
    requires=("slugs",),
    events=model.EVENTS,
    permissions=(commands.WRITE_CATEGORIES,),
    commands=(*commands.COMMANDS, *unmerge_command.COMMANDS),
    error_codes=model.ERROR_CODES,
    projectors=(projector.PROJECTOR,),
    listings=(article_counts_and_listings.LISTINGS,),
    dependencies=(queries.DEPENDENCIES,),
    subjects=(queries.SUBJECT,),
    schema="ledgerpress.features.categories.schema:SCHEMA",
    pages="ledgerpress.features.categories.category_links_on_pages:PAGES",
)
