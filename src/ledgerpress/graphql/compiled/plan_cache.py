"""Where an operation's plans are kept: with the operation."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledgerpress.graphql.compiled.plan import Plan


@dataclass(slots=True)
class PlanCache:
    """The plans of an operation by the values of the `conditions`, variables; `None` where it has to do without."""

    conditions: tuple[str, ...] | None = None
    by_choice: "dict[tuple[Any, ...], Plan | None]" = field(default_factory=dict)
