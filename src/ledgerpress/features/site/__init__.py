"""The site."""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.site import commands, model, read_model

FEATURE: Final = Feature(
    name="site",
    requires=("actors",),
    events=model.EVENTS,
    commands=commands.COMMANDS,
    projectors=(read_model.PROJECTOR,),
    dependencies=(read_model.DEPENDENCIES,),
    subjects=(read_model.SUBJECT,),
    schema="ledgerpress.features.site.schema:SCHEMA",
    pages="ledgerpress.features.site.html_site_name:PAGES",
)
