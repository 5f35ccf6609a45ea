"""Posts and articles."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.posts import commands, model, restore_revert_commands

FEATURE: Final = Feature(
    name="posts",
    requires=("slugs", "authors", "categories"),
    # --- writing ---
    events=model.EVENTS,
    commands=(*commands.COMMANDS, *restore_revert_commands.COMMANDS),
    error_codes=model.ERROR_CODES,
    # --- views ---
    # --- GraphQL, pages ---
    schema="ledgerpress.features.posts.schema.contribution:SCHEMA",
    pages="ledgerpress.features.posts.pages:PAGES",
)
