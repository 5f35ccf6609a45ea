"""A FastAPI application that uses most features of FastAPI, with LedgerPress under /content."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from os import environ
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse
from pydantic import BaseModel

import ledgerpress

content = ledgerpress.create_app(settings={"http.graphiql": True})


class Desk(BaseModel):
    name: str
    seats: int = 2


class NoSuchDesk(Exception):
    pass


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
    async with content.lifespan(app):
        yield {"city": "Emden"}  # the host's own request state


app = FastAPI(title="Host", lifespan=lifespan, root_path=environ.get("HOST_ROOT_PATH", ""))
app.add_middleware(CORSMiddleware, allow_origins=["https://front.example"], allow_headers=["*"])
app.add_middleware(GZipMiddleware, minimum_size=100)


@app.middleware("http")
async def add_header(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers["X-Host"] = "yes"
    return response


@app.exception_handler(NoSuchDesk)
async def no_such_desk(_: Request, __: Exception) -> JSONResponse:
    return JSONResponse({"desk": None}, 410)


@app.exception_handler(404)
async def not_found(_: Request, __: Exception) -> JSONResponse:
    return JSONResponse({"page": None}, 404)


def editor(request: Request) -> str:
    if "x-editor" not in request.headers:
        raise HTTPException(401)
    return request.headers["x-editor"]


desks = APIRouter(prefix="/desks")


@desks.get("/{name}")
async def desk(name: str, user: Annotated[str, Depends(editor)], request: Request) -> Desk:
    if name == "none":
        raise NoSuchDesk
    return Desk(name=f"{name} of {user} in {request.state.city}")


@desks.post("", status_code=201)
async def make(desk: Desk) -> Desk:
    return desk


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text((await socket.receive_text()).upper())
    await socket.close()


app.include_router(desks)
app.mount("/content", content)
