"""Paths of third-party features that would hide others, or be hidden by them."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from starlette.routing import BaseRoute, Match, Route

from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution

RESERVED: Final = ("/graphql", "/health", "/metrics", "/static")
"""The paths of LedgerPress itself, with everything under them (`ledgerpress.http.app`)."""


def page_routes(feature: str, pages: PageContribution) -> list[tuple[str, BaseRoute]]:
    """Return the routes of a feature's pages. Raises `ValueError` for a path without a slash at its beginning."""
    for path in pages.routes:
        if not path.startswith("/"):
            raise ValueError(f"the path {path!r} must begin with a slash")
    return [(feature, Route(path, _nothing)) for path in pages.routes]


def path_conflicts(routes: Sequence[tuple[str, BaseRoute]], third_party: Collection[str]) -> Iterator[str]:
    """Yield the conflicts of routes, each with the name of its feature, that third-party features take part in.

    Routes of one feature may overlap. Those that answer to different methods are no conflict.
    """
    reserved: Any = [Route(f"{path}{rest}", _nothing) for path in RESERVED for rest in ("", "/{rest:path}")]
    known: list[tuple[str, BaseRoute]] = [("ledgerpress", route) for route in reserved]
    for feature, route in routes:
        for other, earlier in known:
            if feature != other and {feature, other} & set(third_party) and _overlap(route, earlier):
                yield f"feature {feature}: the path {_path(route)!r} conflicts with {_path(earlier)!r} of {other}"
        known.append((feature, route))


def _overlap(one: BaseRoute, other: BaseRoute) -> bool:
    methods, others = getattr(one, "methods", None), getattr(other, "methods", None)
    if methods and others and not methods & others:
        return False
    return _matches(one, _sample(other)) or _matches(other, _sample(one))


def _matches(route: BaseRoute, path: str) -> bool:
    scopes: Iterator[dict[str, Any]] = (
        {"type": kind, "method": "GET", "path": path, "headers": []} for kind in ("http", "websocket")
    )
    return any(route.matches(scope)[0] is not Match.NONE for scope in scopes)


def _sample(route: BaseRoute) -> str:
    """Return a path to which the route leads."""
    return re.sub(r"\{[^}]*\}", "1", _path(route)) or "/"


def _path(route: BaseRoute) -> str:
    path: str = getattr(route, "path", "/{path:path}")
    return path


def _nothing() -> None:
    """Stand for the endpoint of a page."""
