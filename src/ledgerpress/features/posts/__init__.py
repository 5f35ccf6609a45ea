"""Posts and articles."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.posts import (
    cache_invalidation,
    create_edit_categorize_commands,
    lifecycle_commands,
    listings_projection,
    model,
    permissions,
    post_queries,
    projector,
    restore_version_and_revert_change_commands,
)

FEATURE: Final = Feature(
    name="posts",
    requires=("slugs", "actors", "authors", "categories"),
    events=model.EVENTS,
    streams=(model.POSTS,),
    permissions=permissions.PERMISSIONS,
    commands=(
        *create_edit_categorize_commands.COMMANDS,
        *lifecycle_commands.COMMANDS,
        *restore_version_and_revert_change_commands.COMMANDS,
    ),
    error_codes=model.ERROR_CODES,
    projectors=(projector.PostsProjector(),),
    listings=(listings_projection.LISTINGS,),
    dependencies=(cache_invalidation.DEPENDENCIES,),
    hidden=(listings_projection.HIDDEN,),
    subjects=(post_queries.SUBJECT,),
    schema="ledgerpress.features.posts.schema:SCHEMA",
    pages="ledgerpress.features.posts.html_pages:PAGES",
)
