"""What a feature's pages and routes need. It imports Starlette, so a manifest names them by strings."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.http.pages.page_contributions_and_rendering import Link, PageContribution, PageHandler, Pages
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

__all__ = [
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
