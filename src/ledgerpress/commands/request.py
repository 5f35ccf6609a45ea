"""What surrounds a command, and what comes of it."""

from dataclasses import dataclass

from ledgerpress.commands import text_rules
from ledgerpress.commands.identity import LOCAL_OPERATOR, Identity
from ledgerpress.eventlog.leases.fencing import Fence
from ledgerpress.features.actors.model import OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """Who asks, why, and under which conditions.

    `identity` is who asks and so decides what they may do; `actor_id` is who is recorded as having done it.
    `expected_version` is the version that the caller has seen; a command made for another one is refused, and
    never tried again. The same `idempotency_key` from the same actor makes a command take effect once. Where
    `actor_name` is given and the actor is not known yet, they are registered with what the command records. A command
    of work under a lease carries its `fence`: the log records it only as long as nobody else has taken the lease.
    """

    actor_id: str = OPERATOR.id
    identity: Identity = LOCAL_OPERATOR
    actor_name: str | None = None
    on_behalf_of_actor_id: str | None = None
    idempotency_key: str | None = None
    reason: str | None = None
    expected_version: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    trace_id: str | None = None
    fence: Fence | None = None

    def checked_reason(self) -> str | None:
        """Return the reason as it is recorded. Raises `Rejected`."""
        return text_rules.optional_text(self.reason, field="reason", limit=text_rules.MAX_NOTE)

    def checked_key(self) -> str | None:
        """Return the idempotency key. Raises `Rejected`."""
        if self.idempotency_key is None:
            return None
        return text_rules.line(
            self.idempotency_key, field="idempotencyKey", limit=text_rules.MAX_IDEMPOTENCY_KEY
        )


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What came of a command.

    `subject_id` is the id of what it was about. `position` is that of the command's last event, or the head where
    there was nothing to do. `views_behind` says that the views had not reached it within the time allowed.
    """

    subject_id: str
    position: int
    replayed: bool = False
    views_behind: bool = False
