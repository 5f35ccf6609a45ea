"""The failure of a contract check: what is wrong, where, and what to do."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any


class ContractViolation(AssertionError):
    """A feature breaks its contract. The message has one line for each fact, and ends with what to do."""

    def __init__(
        self,
        problem: str,
        *,
        feature: str,
        todo: str,
        probe: str | None = None,
        client: str | None = None,
        position: int | None = None,
        event: str | None = None,
        details: Sequence[str] = (),
    ) -> None:
        """`probe` is the query or the page; `position` and `event` are the position and the type of the event."""
        self.feature = feature
        self.probe = probe
        self.position = position
        self.event = event
        lines = [f"feature {feature}: {problem}"]
        if probe is not None:
            lines.append(f"  probe:      {probe}{f', as {client}' if client else ''}")
        if position is not None:
            lines.append(f"  position:   {position}{f', {event}' if event else ''}")
        elif event is not None:
            lines.append(f"  event:      {event}")
        lines += [f"  {detail}" for detail in details]
        super().__init__("\n".join([*lines, f"  what to do: {todo}"]))


def differences(first: Any, second: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the path and both values of each difference between two JSON values, or between two multi-line texts."""
    if first == second:
        return
    if isinstance(first, dict) and isinstance(second, dict):
        for key in [*first, *(key for key in second if key not in first)]:
            yield from differences(first.get(key), second.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for index, pair in enumerate(zip(first, second, strict=True)):
            yield from differences(*pair, f"{path}[{index}]")
    elif isinstance(first, str) and isinstance(second, str) and "\n" in first + second:
        lines = zip_longest(first.splitlines(), second.splitlines(), fillvalue="")
        for number, (line, other) in enumerate(lines, start=1):
            if line != other:
                yield f"{path or 'the page'}, line {number}", line, other
    else:
        yield path or "the response", first, second
