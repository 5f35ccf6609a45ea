"""The interface for a feature's pages and routes.

This module imports Starlette, so manifests refer to pages and routes with strings, which are loaded when needed.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.http.pages.conditional_requests import revalidated
from ledgerpress.http.pages.page_contributions_and_rendering import (
    FORM_POLICY,
    Link,
    LinksFor,
    PageContribution,
    PageHandler,
    Pages,
)
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

__all__ = [
    "FORM_POLICY",
    "BaseRoute",
    "JSONResponse",
    "Link",
    "LinksFor",
    "PageContribution",
    "PageHandler",
    "Pages",
    "Request",
    "Response",
    "Route",
    "RouteContext",
    "Snapshot",
    "revalidated",
]
