"""Serve the files that pages load: style sheets, scripts and images. Each URL changes with the content of its file."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ledgerpress.http.pages.site_files import SITE_STYLESHEET, read_stylesheet

FOLDER: Final = Path(__file__).parent / "static"
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_PERMANENT: Final = "public, max-age=31536000, immutable"
_REVALIDATE: Final = "public, no-cache"


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    media_type: str
    digest: str


class Assets:
    """Serves the files under `static/`, in the folders of features, and the style sheet of the site.

    They are read once, when it is created.
    """

    def __init__(self, folders: Sequence[Path] = (), site_stylesheet: Path | None = None) -> None:
        """Raises `InvalidPageFiles` if the style sheet of the site cannot be used."""
        self._assets = {
            path.relative_to(folder).as_posix(): _asset(path.read_bytes(), path.suffix)
            for folder in (FOLDER, *folders)
            for path in folder.rglob("*")
            if path.suffix in _MEDIA_TYPES
        }
        if site_stylesheet is not None:
            self._assets[SITE_STYLESHEET] = _asset(read_stylesheet(site_stylesheet), ".css")

    def path(self, name: str) -> str:
        """Return a path of a file that contains its digest, so that caches may keep the file. Raises `KeyError`."""
        return f"/static/{name}?v={self._assets[name].digest}"

    async def serve(self, request: Request) -> Response:
        """Return the file at the path of the request."""
        asset = self._assets.get(request.path_params["path"])
        if asset is None:
            return PlainTextResponse("No such file.\n", status_code=404)
        etag = f'"{asset.digest}"'
        headers = {
            "Cache-Control": _PERMANENT if request.query_params.get("v") == asset.digest else _REVALIDATE,
            "ETag": etag,
            "X-Content-Type-Options": "nosniff",
        }
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.content, headers={**headers, "Content-Type": asset.media_type})


def _asset(content: bytes, suffix: str) -> _Asset:
    return _Asset(content, _MEDIA_TYPES[suffix], hashlib.sha256(content).hexdigest()[:16])
