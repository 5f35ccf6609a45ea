"""How many values the variables of a request may have, and how deep."""

from collections.abc import Mapping
from typing import Any

from ledgerpress.graphql.limits.exceeded import LimitExceeded, require
from ledgerpress.graphql.limits.settings import Limits

_GREATEST_INTEGER = 2**63


def check_variables(variables: Mapping[str, Any], limits: Limits) -> None:
    """Raise `LimitExceeded` for variables that have too much in them. Takes no more time than there may be values."""
    level: list[Any] = [variables]
    values = depth = 0
    while level:
        below: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                below.extend(one.values())
            elif isinstance(one, list | tuple):
                require(len(one), limits.list_length, "LIST_TOO_LONG", "A list in the variables is too long")
                below.extend(one)
            elif isinstance(one, int) and not -_GREATEST_INTEGER <= one < _GREATEST_INTEGER:
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
