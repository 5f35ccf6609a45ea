"""Limits on the variables of a request: their number of values, depth, and length of lists."""

from collections.abc import Mapping
from typing import Any

from ledgerpress.graphql.limits.exceeded import LimitExceeded, require
from ledgerpress.graphql.limits.settings import Limits

_GREATEST_INTEGER = 2**63


def check_variables(variables: Mapping[str, Any], limits: Limits) -> None:
    """Raise `LimitExceeded` for variables that exceed a limit, in time linear in the limits."""
    level: list[Any] = [variables]
    values = depth = 0
    while level:
        below: list[Any] = []
        for value in level:
            if isinstance(value, Mapping):
                below.extend(value.values())
            elif isinstance(value, list | tuple):
                require(
                    len(value), limits.list_length, "LIST_TOO_LONG", "A list in the variables is too long"
                )
                below.extend(value)
            elif isinstance(value, int) and not -_GREATEST_INTEGER <= value < _GREATEST_INTEGER:
                raise LimitExceeded("NUMBER_TOO_LONG", "An integer in the variables has more than 64 bits.")
            values += 1
        require(
            values - 1 + len(below), limits.variables_values, "TOO_MANY_VALUES", "The variables hold too much"
        )
        require(
            depth,
            limits.variables_depth,
            "VARIABLES_TOO_DEEP",
            "The variables are nested too deep, in levels",
        )
        level, depth = below, depth + 1
