"""How many connections a process has room for: each one is an open file."""

import resource
from typing import Final

KEPT_FREE: Final = 200
"""Files for everything else: the store, the operators' port, and connections that are only being refused."""


def room_for_connections(wanted: int) -> int:
    """Return how many connections there may be, at most `wanted`, once the limit on files is raised as far as needed.

    A process may raise its soft limit up to the hard one by itself.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + KEPT_FREE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (OSError, ValueError):  # what the system allows may be less than it says
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(min(wanted, soft - KEPT_FREE), soft // 4)
