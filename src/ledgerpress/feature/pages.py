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
    Pages,
)
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

__all__ = [
    "Alternate",
    "BaseRoute",
    "JSONResponse",
    "Link",
    "PageContribution",
    "PageHandler",
    "Pages",
    "Request",
    "Response",
    "Route",
    "RouteContext",
    "Snapshot",
]
