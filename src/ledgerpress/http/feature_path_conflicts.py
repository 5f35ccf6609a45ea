"""Find paths of third-party features that conflict with other paths: one of the two would never be served."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from starlette.routing import BaseRoute, Match, Route

from ledgerpress.http.pages.page_contributions_and_rendering import PageContribution

RESERVED: Final = ("/graphql", "/health", "/metrics", "/static")
"""The paths of LedgerPress itself, with all paths below them (`ledgerpress.http.app`)."""


def page_routes(feature: str, pages: PageContribution) -> list[tuple[str, BaseRoute]]:
    """Return the routes of a feature's pages. Raises `ValueError` for a path that does not begin with a slash."""
    for path in pages.routes:
        if not path.startswith("/"):
            raise ValueError(f"the path {path!r} must begin with a slash")
    return [(feature, Route(path, _nothing)) for path in pages.routes]


def path_conflicts(routes: Sequence[tuple[str, BaseRoute]], third_party: Collection[str]) -> Iterator[str]:
    """Yield a message for each pair of conflicting routes that involves a third-party feature.

    `routes` are pairs of a feature's name and a route. Routes of the same feature may overlap, and so may routes for
    different methods. The paths in `RESERVED` count as earlier routes of LedgerPress.
    """
    reserved: Any = [Route(f"{path}{rest}", _nothing) for path in RESERVED for rest in ("", "/{rest:path}")]
    earlier_routes: list[tuple[str, BaseRoute]] = [("ledgerpress", route) for route in reserved]
    for feature, route in routes:
        for other, earlier in earlier_routes:
            if feature != other and {feature, other} & set(third_party) and _overlap(route, earlier):
                yield f"feature {feature}: the path {_path(route)!r} conflicts with {_path(earlier)!r} of {other}"
        earlier_routes.append((feature, route))


def _overlap(route: BaseRoute, other: BaseRoute) -> bool:
    methods, others = getattr(route, "methods", None), getattr(other, "methods", None)
    if methods and others and not methods & others:
        return False
    return _matches(route, _sample(other)) or _matches(other, _sample(route))


def _matches(route: BaseRoute, path: str) -> bool:
    scopes: Iterator[dict[str, Any]] = (
        {"type": kind, "method": "GET", "path": path, "headers": []} for kind in ("http", "websocket")
    )
    return any(route.matches(scope)[0] is not Match.NONE for scope in scopes)


def _sample(route: BaseRoute) -> str:
    """Return a path that the route matches."""
    return re.sub(r"\{[^}]*\}", "1", _path(route)) or "/"


def _path(route: BaseRoute) -> str:
    path: str = getattr(route, "path", "/{path:path}")
    return path


def _nothing() -> None:
    """Take the place of an endpoint in routes that are only compared."""
