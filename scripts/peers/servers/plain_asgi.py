"""An ASGI application that reads a request and always sends the same bytes.

Usage: python -m scripts.peers.servers.plain_asgi PORT FILE
"""

import sys
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from scripts.peers.servers.uvicorn_settings import serve


def plain(body: bytes) -> ASGIApp:
    """Return the application."""
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


if __name__ == "__main__":
    serve(plain(Path(sys.argv[2]).read_bytes()), int(sys.argv[1]))
