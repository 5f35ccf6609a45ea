"""The name of the site on its pages."""

from typing import Final

from ledgerpress.features import people_queries
from ledgerpress.http.pages.pages import PageContribution

PAGES: Final = PageContribution(site_name=people_queries.site_name)
