"""Authors: the names in the byline."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.authors import commands, model

FEATURE: Final = Feature(
    name="authors",
    requires=(),
    # --- writing ---
    events=model.EVENTS,
    commands=commands.COMMANDS,
    # --- views ---
    # --- GraphQL, pages ---
    schema="ledgerpress.features.authors.schema:SCHEMA",
)
