"""The site as of a snapshot."""

from typing import Any, Final

from ledgerpress.views.declarations import DependencyRule, FieldValues, Subject, plain
from ledgerpress.views.snapshot import Snapshot, Topic

SITE: Final = Topic("site", 0)
"""The site's name."""
DEPENDENCIES: Final = DependencyRule.by_type({"site.named": [SITE]})


def site_name(snapshot: Snapshot) -> str | None:
    """Return the site's name, if it has one."""
    row = _row(snapshot)
    return row[0] if row else None


def site_version(snapshot: Snapshot) -> int:
    """Return how often the site has been named."""
    row = _row(snapshot)
    return int(row[1]) if row else 0


def _row(snapshot: Snapshot) -> tuple[Any, ...] | None:
    query = "SELECT name, version FROM site_name WHERE from_pos <= ? ORDER BY from_pos DESC LIMIT 1"
    row: tuple[Any, ...] | None = snapshot.about(SITE).execute(query, (snapshot.position,)).fetchone()
    return row


def _values(snapshot: Snapshot, _: str) -> FieldValues:
    return {"name": plain(site_name(snapshot))}


SUBJECT: Final = Subject(kind="site", values=_values)
