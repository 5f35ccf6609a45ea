"""The site, with its name, language, description and so on: the manifest, and the public names for features above.

Features above import queries from `site.queries` and GraphQL types from `site.schema`: see
docs/reference/public-modules.md.
"""

from typing import TYPE_CHECKING, Final

from ledgerpress.feature import Feature
from ledgerpress.feature.lazy_references import names_in
from ledgerpress.features.site import model, projector_and_queries
from ledgerpress.features.site.logo_rules import Logo
from ledgerpress.features.site.model import SITE, WRITE_SITE, Site, SiteDescribed, SiteLocalized, SiteNamed

if TYPE_CHECKING:
    from ledgerpress.features.site.commands import DescribeSite, LocalizeSite, NameSite
else:
    __getattr__ = names_in(__name__, "commands")

__all__ = [
    "FEATURE",
    "SITE",
    "WRITE_SITE",
    "DescribeSite",
    "LocalizeSite",
    "Logo",
    "NameSite",
    "Site",
    "SiteDescribed",
    "SiteLocalized",
    "SiteNamed",
]

FEATURE: Final = Feature(
    name="site",
    requires=("actors",),
    events=model.EVENTS,
    permissions=(model.WRITE_SITE,),
    commands=("ledgerpress.features.site.commands:COMMANDS",),
    projectors=(projector_and_queries.PROJECTOR,),
    dependencies=(projector_and_queries.DEPENDENCIES,),
    subjects=(projector_and_queries.SUBJECT,),
    schema="ledgerpress.features.site.schema:SCHEMA",
    pages="ledgerpress.features.site.html_site_name_and_language:PAGES",
)
