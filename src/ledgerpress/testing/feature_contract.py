"""The contract of features: what an author gives, and the checks that follow from it."""

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
"""The features that LedgerPress ships cannot be absent."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a contract. Its text, as pytest shows it, is its name."""

    name: str
    definition: Definition
    check: _Run

    def __str__(self) -> str:
        return self.name

    @property
    def description(self) -> str:
        """What holds if the check passes."""
        return (self.check.__doc__ or "").strip()

    def run(self, directory: Path, log: str = LOCAL) -> None:
        """Run the check in an empty directory, with its log at a URL where none is yet; by default in the directory.

        It runs an event loop of its own, so a test that calls it is not asynchronous. Raises `ContractViolation`, and
        whatever the scenario raises.
        """
        asyncio.run(self.run_async(directory, log))

    async def run_async(self, directory: Path, log: str = LOCAL) -> None:
        """Run the check as `run` does, in the running event loop."""
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
        """Take what the checks need to know.

        `scenario` runs commands and mutations, some of which are rejected, with a `StoreClient`; it records each event
        type of the features. The values that it returns, such as global ids, are the variables of `queries`, and replace
        `{name}` in `pages`. `queries` read each field that the features add: a query is asked as of each position, too,
        with `asOf` added to its root fields. `others` are third-party features that these build on.

        `samples` has the data of an event in each version but the newest, by type and version. `unreached` names what
        the scenario and the queries do not reach: event types, coordinates of fields, and paths of pages.
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
        """The checks, each of which records the scenario in a store of its own."""
        checks = {**_CHECKS, **(_OF_THIRD_PARTY_FEATURES if self._definition.third_party else {})}
        return tuple(Check(name, self._definition, check) for name, check in checks.items())
