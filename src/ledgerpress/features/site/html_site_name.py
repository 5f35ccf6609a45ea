"""The name of the site on its pages."""

from typing import Final

from ledgerpress.features.site import read_model as site_queries
from ledgerpress.http.pages.pages import PageContribution

PAGES: Final = PageContribution(site_name=site_queries.site_name)
