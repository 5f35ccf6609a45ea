"""The site, with its name, language and time zone: the manifest, and the public names for features above.

Features above import queries from `site.queries` and GraphQL types from `site.schema`: see
docs/reference/public-modules.md.
"""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.site import commands, model, projector_and_queries
from ledgerpress.features.site.commands import WRITE_SITE, LocalizeSite, NameSite
from ledgerpress.features.site.model import SITE, Site, SiteLocalized, SiteNamed

__all__ = [
    "FEATURE",
    "SITE",
    "WRITE_SITE",
    "LocalizeSite",
    "NameSite",
    "Site",
    "SiteLocalized",
    "SiteNamed",
]

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
    pages="ledgerpress.features.site.html_site_name_and_language:PAGES",
)
