"""Other spellings of the paths of pages: with capital letters, or with too many slashes."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from inspect import isawaitable
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

Handler: TypeAlias = Callable[[Any, Snapshot, Request], Response | Awaitable[Response]]
"""The handler of a page. The first argument are the pages, which `page_contributions_and_rendering` defines."""


class OtherSpelling(NamedTuple):
    """A path that is another spelling of the path of a page: the page's path and the values of its parameters."""

    path: str
    parameters: dict[str, Any]


class PathSpelling:
    """The path of a page, in the syntax of Starlette's routes."""

    def __init__(self, path: str) -> None:
        pattern, self._format, self._convertors = compile_path(path)
        self._pattern = re.compile(pattern.pattern, re.IGNORECASE)

    def match(self, path: str) -> OtherSpelling | None:
        """Return the match of a path that differs in capital letters or slashes, `None` if it is another path.

        Capital letters in parameters stay: only the page knows what a parameter means. The result never begins with two
        slashes, since a browser would read the next segment as the name of a host.
        """
        segments = [segment for segment in path.split("/") if segment]
        match = self._pattern.match("/" + "/".join(segments))
        if match is None:
            return None
        texts = match.groupdict()
        parameters = {name: self._convertors[name].convert(text) for name, text in texts.items()}
        return OtherSpelling(
            self._format.format(**{name: quote(text) for name, text in texts.items()}), parameters
        )


def path_matcher(paths: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that returns whether a path is one of these, or another spelling of one."""
    spellings = [PathSpelling(path) for path in paths]
    return lambda path: any(spelling.match(path) for spelling in spellings)


def other_spellings(handlers: Mapping[str, Handler]) -> Handler:
    """Return the handler of all other paths: it redirects other spellings of the path of a page that exists."""
    spellings = [(PathSpelling(path), handler) for path, handler in handlers.items()]

    async def handle(pages: Any, snapshot: Snapshot, request: Request) -> Response:
        for spelling, handler in spellings:
            match = spelling.match(request.path_params["path"])
            if match is None:
                continue
            renamed = Request({**request.scope, "path_params": match.parameters})
            page = await complete(handler(pages, snapshot, renamed))
            # A page that knows a better path redirects to it.
            is_page = page.status_code in {HTTPStatus.OK, HTTPStatus.NOT_MODIFIED}
            if not is_page:
                return page
            moved: Response = pages.moved(snapshot, match.path, request.url.query)
            return moved
        missing: Response = pages.not_found(snapshot)
        return missing

    return handle


async def complete(page: Response | Awaitable[Response]) -> Response:
    """Return a page, and await it first if it is not complete yet."""
    return await page if isawaitable(page) else page
