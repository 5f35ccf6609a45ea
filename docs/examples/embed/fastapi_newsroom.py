"""A FastAPI application with its own routes and lifespan, and LedgerPress under /content."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import ledgerpress

content = ledgerpress.create_app()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with content.lifespan():
        yield


app = FastAPI(title="The newsroom", lifespan=lifespan)


@app.get("/position")
async def position() -> dict[str, int]:
    """Return the position that the store has reached."""
    return {"position": content.store.position}


app.mount("/content", content)
