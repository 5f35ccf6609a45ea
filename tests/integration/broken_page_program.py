"""The program, with a front page that fails, and says a secret while it does."""

from starlette.requests import Request
from starlette.responses import Response

from ledgerpress.cli import main
from ledgerpress.http.pages.site_pages import Pages


async def _fail(self: Pages, request: Request) -> Response:
    raise ValueError(f"cannot be shown: {request.headers.get('authorization')}\x1b[2J")


if __name__ == "__main__":
    Pages._front = _fail  # type: ignore[method-assign]
    main()
