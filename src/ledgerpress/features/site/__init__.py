"""The site."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.site import commands, model, projector_and_queries

FEATURE: Final = Feature(
    name="site",
    requires=("actors",),
    events=model.EVENTS,
    permissions=(commands.WRITE_SITE,),
    commands=commands.COMMANDS,
    projectors=(projector_and_queries.PROJECTOR,),
    dependencies=(projector_and_queries.DEPENDENCIES,),
    subjects=(projector_and_queries.SUBJECT,),
    schema="ledgerpress.features.site.schema:SCHEMA",
    pages="ledgerpress.features.site.html_site_name:PAGES",
)
