"""A Starlette application with its own route, and LedgerPress under /content."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import ledgerpress

content = ledgerpress.create_app()


async def home(_: Request) -> PlainTextResponse:
    return PlainTextResponse("The newsroom's own application.\n")


app = Starlette(
    routes=[Route("/", home), Mount("/content", content)],
    lifespan=content.lifespan,
)
