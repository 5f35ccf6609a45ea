"""The prefix under which the application is mounted (`root_path` of ASGI), and the path of a request below it."""

from urllib.parse import quote

from starlette.types import Scope


def route_path(scope: Scope) -> str:
    """Return the path of a request below the prefix, as Starlette's routes see it.

    `path` contains the prefix (ASGI, HTTP connection scope). Servers that leave it out are tolerated.
    """
    path: str = scope["path"]
    prefix: str | None = scope.get("root_path")
    if not prefix or not path.startswith(prefix):
        return path
    below = path[len(prefix) :]
    return below if not below or below.startswith("/") else path


def url_prefix(scope: Scope) -> str:
    """Return what URLs of this application begin with: nothing, or a percent-encoded path without a slash at its end.

    It never begins with two slashes, which a browser would read as the name of another host.
    """
    segments = [segment for segment in scope.get("root_path", "").split("/") if segment]
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def with_prefix_in_path(scope: Scope) -> Scope:
    """Return a scope whose `path` begins with `root_path`, as ASGI requires.

    Some hosts set a `root_path` that the path does not have, such as `FastAPI(root_path=…)`. What Starlette's `Mount` adds to
    it (all but `app_root_path`) is in the path even then.
    """
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "")
    if not prefix or path == prefix or path.startswith(f"{prefix}/"):
        return scope
    return {**scope, "path": scope.get("app_root_path", prefix) + path}
