"""Provides the name of the site, its language, time zone, logo and address to the HTML pages."""

from typing import Final

from ledgerpress.features.site import projector_and_queries as site_queries
from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution

PAGES: Final = PageContribution(
    site_name=site_queries.site_name,
    site_language=site_queries.site_language,
    site_time_zone=site_queries.site_tzinfo,
    site_logo=site_queries.site_logo,
    site_address=site_queries.site_address,
)
