"""The program with a front page that fails with an error message that contains a secret."""

from typing import Any, NoReturn, cast

from starlette.requests import Request

from ledgerpress.cli import main
from ledgerpress.features.posts.html_pages import PAGES


def _fail(_: object, __: object, request: Request) -> NoReturn:
    raise ValueError(f"cannot be shown: {request.headers.get('authorization')}\x1b[2J")


if __name__ == "__main__":
    cast("dict[str, Any]", PAGES.routes)["/"] = _fail
    main()
