"""Feeds (Atom and JSON Feed), sitemaps and robots.txt: the manifest.

The documents are written from the views, like pages. The feature records no events of its own: its rows number what other
features have changed for readers, so that an archive of a feed always has the same entries.
"""

from typing import Final

from ledgerpress.feature import Feature
from ledgerpress.features.feeds import change_queries, changes_projection

FEATURE: Final = Feature(
    name="feeds",
    requires=("slugs", "site", "authors", "categories", "posts", "site_pages"),
    listings=(changes_projection.LISTINGS,),
    dependencies=(change_queries.DEPENDENCIES,),
    pages="ledgerpress.features.feeds.links_to_feeds:PAGES",
    routes="ledgerpress.features.feeds.routes:routes",
)
