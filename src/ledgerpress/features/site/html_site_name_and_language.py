"""Provides the name, the language and the time zone of the site to the HTML pages."""

from typing import Final

from ledgerpress.features.site import projector_and_queries as site_queries
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution

PAGES: Final = PageContribution(
    site_name=site_queries.site_name,
    site_language=site_queries.site_language,
    site_time_zone=site_queries.site_tzinfo,
)
