"""Whether a log extends what it was at an earlier time."""

from ledgerpress.eventlog.tree_head import TreeHead
from ledgerpress.operator.log_verification import Finding, LogVerification


def compare(checked: LogVerification, earlier: TreeHead, whose: str) -> Finding | None:
    """Return what keeps the checked log from being one that extends `earlier`, if anything does.

    The check computed the root at the earlier size anew, from every event, so no proof is needed. `whose` names the
    earlier head to a person.
    """
    head = checked.head
    if earlier.publication != head.publication:
        return Finding(
            None, f"the log is that of publication {head.publication}, not of {earlier.publication}"
        )
    if earlier.size > head.size:
        what = (
            f"it is missing: the log ends at position {head.size:,}, and {whose} has {earlier.size:,} events"
        )
        return Finding(head.size + 1, what)
    if checked.roots[earlier.size].hex() != earlier.root:
        return Finding(None, f"the first {earlier.size:,} events are not those of {whose}")
    return None
