"""Posts and articles."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.posts import (
    cache_invalidation,
    commands,
    lifecycle_commands,
    listings,
    model,
    post_queries,
    projector,
    restore_version_and_revert_change_commands,
)

FEATURE: Final = Feature(
    name="posts",
    requires=("slugs", "authors", "categories"),
    events=model.EVENTS,
    commands=(
        *commands.COMMANDS,
        *lifecycle_commands.COMMANDS,
        *restore_version_and_revert_change_commands.COMMANDS,
    ),
    error_codes=model.ERROR_CODES,
    projectors=(projector.PostsProjector(),),
    listings=(listings.LISTINGS,),
    dependencies=(cache_invalidation.DEPENDENCIES,),
    hidden=(listings.HIDDEN,),
    subjects=(post_queries.SUBJECT,),
    schema="ledgerpress.features.posts.schema:SCHEMA",
    pages="ledgerpress.features.posts.html_pages:PAGES",
)
