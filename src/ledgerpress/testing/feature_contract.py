"""The contract of features: the input of an author, and the checks that use it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ledgerpress.feature import Feature
from ledgerpress.server.log_url import LOCAL
from ledgerpress.testing.checks.absence import check_absence
from ledgerpress.testing.checks.cache_and_past import check_cache, check_past
from ledgerpress.testing.checks.declarations_and_coverage import (
    check_coverage,
    check_declarations,
    check_stored_versions,
)
from ledgerpress.testing.checks.permissions import check_permissions
from ledgerpress.testing.checks.rebuild import check_rebuild, check_switch
from ledgerpress.testing.checks.withdrawal import check_withdrawal
from ledgerpress.testing.definition import Definition, Scenario

_Run: TypeAlias = Callable[[Definition, Path, str], Awaitable[None]]
_CHECKS: dict[str, _Run] = {
    "declarations": check_declarations,
    "coverage": check_coverage,
    "stored-versions": check_stored_versions,
    "rebuild": check_rebuild,
    "past": check_past,
    "cache": check_cache,
    "permissions": check_permissions,
    "withdrawal": check_withdrawal,
    "switch": check_switch,
}
_OF_THIRD_PARTY_FEATURES: dict[str, _Run] = {"absence": check_absence}
"""Checks that apply only to third-party features: LedgerPress's own features cannot be absent."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check of a contract. Its text, which pytest shows, is its name."""

    name: str
    definition: Definition
    check: _Run

    def __str__(self) -> str:
        return self.name

    @property
    def description(self) -> str:
        """The guarantee that the check verifies."""
        return (self.check.__doc__ or "").strip()

    def run(self, directory: Path, log: str = LOCAL) -> None:
        """Run the check in an empty directory, with a new log at the URL `log`, by default in that directory.

        This starts an event loop, so the calling test must not be asynchronous. Raises `ContractViolation`, and any
        exception that the scenario raises.
        """
        asyncio.run(self.run_async(directory, log))

    async def run_async(self, directory: Path, log: str = LOCAL) -> None:
        """Run the check like `run`, but in the running event loop."""
        await self.check(self.definition, directory, log)


class FeatureContract:
    """The contract of one or more features: see `ledgerpress.testing`."""

    def __init__(
        self,
        *features: Feature,
        scenario: Scenario,
        queries: Sequence[str] = (),
        pages: Sequence[str] = (),
        others: Sequence[Feature] = (),
        samples: Mapping[tuple[str, int], Mapping[str, Any]] | None = None,
        unreached: Collection[str] = (),
    ) -> None:
        """Create a contract. Its checks start when they are run.

        `scenario` runs commands and mutations with a `StoreClient`, including some that are rejected. It must record
        each event type of the features. The values that it returns, such as global ids, become the variables of
        `queries` and replace `{name}` in `pages`. `queries` must read each field that the features add. Each query also
        runs as of each position, with `asOf` added to its root fields. `others` are third-party features on which these
        features depend.

        `samples` contains the data of an event in each version except the newest, by type and version. `unreached`
        names the event types, coordinates of fields and paths of pages that the scenario and the queries do not reach.
        """
        self._definition = Definition(
            features,
            others=others,
            scenario=scenario,
            queries=queries,
            pages=pages,
            samples=samples or {},
            unreached=unreached,
        )

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks. Each of them records the scenario in its own store."""
        checks = {**_CHECKS, **(_OF_THIRD_PARTY_FEATURES if self._definition.third_party else {})}
        return tuple(Check(name, self._definition, check) for name, check in checks.items())
