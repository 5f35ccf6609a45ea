"""The category tree: the manifest, and the public names for features above that write categories.

Features above import queries from `categories.queries`, GraphQL types from `categories.schema` and links for pages
from `categories.pages`: see docs/reference/public-modules.md.
"""

from typing import TYPE_CHECKING, Final

from ledgerpress.feature import Feature
from ledgerpress.feature.lazy_references import names_in
from ledgerpress.features.categories import article_counts_and_listings, model, projector, queries
from ledgerpress.features.categories.model import (
    CATEGORY_CYCLE,
    CATEGORY_NOT_EMPTY,
    CATEGORY_NOT_MERGED,
    CATEGORY_TOO_DEEP,
    TAXONOMY,
    UNMERGE_CONFLICT,
    WRITE_CATEGORIES,
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

if TYPE_CHECKING:
    from ledgerpress.features.categories.commands import (
        CreateCategory,
        DeleteCategory,
        DescribeCategory,
        MergeCategory,
        MoveCategory,
        RenameCategory,
    )
    from ledgerpress.features.categories.unmerge_command import UnmergeCategory
else:
    __getattr__ = names_in(__name__, "commands", "unmerge_command")

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
    permissions=(model.WRITE_CATEGORIES,),
    commands=(
        "ledgerpress.features.categories.commands:COMMANDS",
        "ledgerpress.features.categories.unmerge_command:COMMANDS",
    ),
    error_codes=model.ERROR_CODES,
    projectors=(projector.PROJECTOR,),
    listings=(article_counts_and_listings.LISTINGS,),
    dependencies=(queries.DEPENDENCIES,),
    subjects=(queries.SUBJECT,),
    schema="ledgerpress.features.categories.schema:SCHEMA",
    pages="ledgerpress.features.categories.category_links_on_pages:PAGES",
)
