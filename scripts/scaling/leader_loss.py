"""For how long writes stand still when JetStream's leader is lost: least and most, in seconds.

`scripts/scale --measure` does not measure these. They are of three servers and sixteen writers on three nodes, ten kills
and five each of the others, as `tests/integration/test_cluster_kills.py` prints them; change them here.
"""

from typing import Final

KILLED: Final = (4.2, 8.2)
"""With SIGKILL."""
STOPPED: Final = (0.13, 0.47)
"""With SIGTERM."""
STEPPED_DOWN: Final = (0.16, 0.22)
