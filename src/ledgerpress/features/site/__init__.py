"""The site."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.site import commands, model

FEATURE: Final = Feature(
    name="site",
    requires=("actors",),
    # --- writing ---
    events=model.EVENTS,
    commands=commands.COMMANDS,
    # --- views ---
    # --- GraphQL, pages ---
    schema="ledgerpress.features.site.schema:SCHEMA",
    pages="ledgerpress.features.site.pages:PAGES",
)
