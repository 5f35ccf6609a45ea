"""The program on a machine whose clock a test sets: the seconds in the file `LEDGERPRESS_TEST_CLOCK` are added to it."""

import os
import time
from pathlib import Path
from typing import Final

from ledgerpress.cli import main

_FILE: Final = Path(os.environ["LEDGERPRESS_TEST_CLOCK"])
_now: Final = time.time_ns


def _set_clock() -> int:
    return _now() + int(float(_FILE.read_text("ascii")) * 1_000_000_000)


if __name__ == "__main__":
    time.time_ns = _set_clock
    main()
