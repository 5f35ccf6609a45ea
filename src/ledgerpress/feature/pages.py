"""The interface for a feature's pages and routes.

This module imports Starlette, so manifests refer to pages and routes with strings, which are loaded when needed.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ledgerpress.http.feature_routes import RouteContext
from ledgerpress.http.pages.conditional_requests import revalidated
from ledgerpress.http.pages.interface_texts.words import InterfaceText, Text, Words
from ledgerpress.http.pages.link import Link
from ledgerpress.http.pages.page_contributions_and_rendering import (
    LinksFor,
    PageContribution,
    PageHandler,
    Pages,
)
from ledgerpress.http.pages.page_headers import FORM_POLICY
from ledgerpress.http.pages.page_moment import ChangesOfPage, PageChanges, PageMoment
from ledgerpress.http.pages.page_parts import PagePart, PageView
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

__all__ = [
    "FORM_POLICY",
    "BaseRoute",
    "ChangesOfPage",
    "InterfaceText",
    "JSONResponse",
    "Link",
    "LinksFor",
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
    "Text",
    "Words",
    "revalidated",
]
