"""The time for which writes stall when JetStream's leader is lost: minimum and maximum, in seconds.

`scripts/scale --measure` does not measure these times. `tests/integration/test_cluster_kills.py` prints them, for three
servers and sixteen writers on three nodes: ten kills, and five repetitions of each other case. Update them by hand.
"""

from typing import Final

KILLED: Final = (4.2, 8.2)
"""With SIGKILL."""
STOPPED: Final = (0.13, 0.47)
"""With SIGTERM."""
STEPPED_DOWN: Final = (0.16, 0.22)
