"""Public queries for the site as of a snapshot, for features above the site."""

from ledgerpress.features.site.projector_and_queries import (
    SITE,
    site_address,
    site_description,
    site_language,
    site_logo,
    site_name,
    site_time_zone,
    site_tzinfo,
    site_version,
)

__all__ = [
    "SITE",
    "site_address",
    "site_description",
    "site_language",
    "site_logo",
    "site_name",
    "site_time_zone",
    "site_tzinfo",
    "site_version",
]
