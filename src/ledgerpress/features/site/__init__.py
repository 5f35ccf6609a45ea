"""The site."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.site import commands, model, projector, queries

FEATURE: Final = Feature(
    name="site",
    requires=("actors",),
    # --- writing ---
    events=model.EVENTS,
    commands=commands.COMMANDS,
    # --- views ---
    projectors=(projector.PROJECTOR,),
    dependencies=(queries.DEPENDENCIES,),
    subjects=(queries.SUBJECT,),
    # --- GraphQL, pages ---
    schema="ledgerpress.features.site.schema:SCHEMA",
    pages="ledgerpress.features.site.html_site_name:PAGES",
)
