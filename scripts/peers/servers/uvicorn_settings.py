"""Serves an ASGI application with the same protocol classes as LedgerPress."""

from typing import Any

import uvicorn


def serve(app: Any, port: int) -> None:
    """Serve until the process is ended."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
    )
