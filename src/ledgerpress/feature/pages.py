"""The interface for a feature's pages and routes.

This module imports Starlette, so manifests refer to pages and routes with strings, which are loaded when needed.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.http.pages.page_contributions_and_rendering import (
    Alternate,
    Link,
    PageContribution,
    PageHandler,
    PagePart,
    Pages,
    PageView,
)
from ledgerpress.http.pages.page_moment import ChangesOfPage, PageChanges, PageMoment
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

__all__ = [
    "Alternate",
    "BaseRoute",
    "ChangesOfPage",
    "JSONResponse",
    "Link",
    "PageChanges",
    "PageContribution",
    "PageHandler",
    "PageMoment",
    "PagePart",
    "PageView",
    "Pages",
    "Request",
    "Response",
    "Route",
    "RouteContext",
    "Snapshot",
]
