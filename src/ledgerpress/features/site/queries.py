"""Public queries for the name of the site as of a snapshot, for features above the site."""

from ledgerpress.features.site.projector_and_queries import SITE, site_name, site_version

__all__ = ["SITE", "site_name", "site_version"]
