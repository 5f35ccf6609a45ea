"""What features above the site need to read its name, as of a snapshot."""

from ledgerpress.features.site.projector_and_queries import SITE, site_name, site_version

__all__ = ["SITE", "site_name", "site_version"]
