"""What accompanies a command, and its result."""

from dataclasses import dataclass
from typing import Any

from ledgerpress.commands import text_rules
from ledgerpress.commands.roles_and_permissions import LOCAL_OPERATOR, OPERATOR_ACTOR_ID, Identity
from ledgerpress.eventlog.leases.fencing import Fence


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """The user, the reason, and the conditions under which a command is executed.

    `identity` decides what the user may do; `actor_id` is recorded as the one who did it. `expected_version` is the
    version that the client has seen: a command for another version is rejected and not retried. The same
    `idempotency_key` from the same actor makes a command take effect once. An actor that is not registered yet is
    registered with the command's events if `actor_name` is given. `inputs` are values that features above the
    command's add to it. A command that needs a lease carries its `fence`: it is recorded only while the lease is held.
    """

    actor_id: str = OPERATOR_ACTOR_ID
    identity: Identity = LOCAL_OPERATOR
    actor_name: str | None = None
    on_behalf_of_actor_id: str | None = None
    idempotency_key: str | None = None
    reason: str | None = None
    expected_version: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    trace_id: str | None = None
    inputs: tuple[Any, ...] = ()
    fence: Fence | None = None

    def checked_reason(self) -> str | None:
        """Return the reason as it is recorded. Raises `Rejection`."""
        return text_rules.optional_text(self.reason, field="reason", limit=text_rules.MAX_NOTE)

    def checked_key(self) -> str | None:
        """Return the idempotency key. Raises `Rejection`."""
        if self.idempotency_key is None:
            return None
        return text_rules.line(
            self.idempotency_key, field="idempotencyKey", limit=text_rules.MAX_IDEMPOTENCY_KEY
        )


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command.

    `subject_id` is the id of what it was about. `position` is that of the command's last event, or the head if there
    was nothing to do. `views_behind`: the views had not reached it within the timeout.
    """

    subject_id: str
    position: int
    replayed: bool = False
    views_behind: bool = False
