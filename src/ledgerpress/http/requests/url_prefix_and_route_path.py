"""The prefix under which the application is mounted (`root_path` of ASGI), and the path of a request below it."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.types import Scope


def route_path(scope: Scope) -> str:
    """Return the path of a request below the prefix, as Starlette's routes see it.

    `path` should contain the prefix (ASGI, HTTP connection scope). Servers that omit the prefix are tolerated.
    """
    path: str = scope["path"]
    prefix: str | None = scope.get("root_path")
    if not prefix or not path.startswith(prefix):
        return path
    rest = path[len(prefix) :]
    return rest if not rest or rest.startswith("/") else path


def url_prefix(scope: Scope) -> str:
    """Return the prefix of this application's URLs: empty, or a percent-encoded path without a slash at its end.

    The prefix never begins with two slashes, since a browser would read the next segment as the name of a host.
    """
    segments = [segment for segment in scope.get("root_path", "").split("/") if segment]
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def absolute_url(request: Request, path: str, base_url: str = "") -> str:
    """Return the address of a path of this site. Without `base_url`, it begins with the address of the request."""
    return f"{base_url or f'{request.url.scheme}://{request.url.netloc}{url_prefix(request.scope)}'}{path}"


def with_prefix_in_path(scope: Scope) -> Scope:
    """Return a scope whose `path` begins with `root_path`, as ASGI requires.

    Some hosts, such as `FastAPI(root_path=…)`, set a `root_path` that the path does not contain. Even then, the path
    contains the part that Starlette's `Mount` adds to `root_path` (everything after `app_root_path`).
    """
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "")
    if not prefix or path == prefix or path.startswith(f"{prefix}/"):
        return scope
    return {**scope, "path": scope.get("app_root_path", prefix) + path}
