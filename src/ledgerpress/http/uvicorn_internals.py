"""Modules of uvicorn whose private attributes LedgerPress uses, in the version that it was tested with."""

import importlib
from typing import Any, Final

import uvicorn

_VERSION: Final = "0.54."


def uvicorn_module(name: str) -> Any:
    """Return a module of uvicorn if its version is supported and its libraries are installed, otherwise `None`."""
    if not uvicorn.__version__.startswith(_VERSION):
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
