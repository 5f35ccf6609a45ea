"""Loads the executor of compiled operations, if the installed releases are those with which it was tested.

Compiled operations use internals of graphql-core and strawberry, which may change with any release. With other
releases, graphql-core executes every operation: responses stay the same and take longer.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any, Final, TypeAlias

from graphql import ExecutionResult

from ledgerpress.graphql.documents import Operation

logger = logging.getLogger(__name__)

ExecuteCompiled: TypeAlias = Callable[
    [Operation, Mapping[str, Any] | None, Any], ExecutionResult | Awaitable[ExecutionResult] | None
]

TESTED: Final = {
    "graphql-core": ("3.3.2", "3.3.2"),
    "strawberry-graphql": ("0.330.0", "0.341.2"),
}
"""The lowest and the highest tested release of each package, both inclusive: those in requirements/lowest.txt and
requirements/dev.txt."""


def load_compiled_executor() -> ExecuteCompiled | None:
    """Return `execute_compiled`, or `None` if a release was not tested with it."""
    if untested := [
        f"{name} {installed}" for name in TESTED if not is_tested(name, installed := version(name))
    ]:
        logger.warning("queries are not compiled: not tested with %s", ", ".join(untested))
        return None
    from ledgerpress.graphql.compiled.compiled_executor import (  # noqa: PLC0415 - fails with other releases
        execute_compiled,
    )

    return execute_compiled


def is_tested(name: str, release: str) -> bool:
    """Return whether a release is in the tested range. A pre-release never is."""
    lowest, highest = map(_numbers, TESTED[name])
    numbers = _numbers(release)
    return numbers is not None and lowest is not None and highest is not None and lowest <= numbers <= highest


def _numbers(release: str) -> tuple[int, ...] | None:
    parts = release.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else None
