"""Other spellings of the paths of pages: with capital letters, or with too many slashes."""

import re
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.routing import compile_path


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
