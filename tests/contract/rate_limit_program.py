"""A process that sends requests of one client until none is admitted: PATH BURST [unlocked].

It prints how many were admitted. `unlocked`: it never gets a lock, as if a stopped worker held all of them.
"""

import sys
from pathlib import Path

from ledgerpress.http.request_rejection_error import HttpError
from ledgerpress.http.shared_token_buckets import SharedTokenBuckets


class UnlockedTokenBuckets(SharedTokenBuckets):
    """Token buckets whose locks another process holds."""

    def _lock(self, number: int) -> bool:
        return False


def main(path: Path, burst: int, *, locked: bool) -> int:
    kind = SharedTokenBuckets if locked else UnlockedTokenBuckets
    buckets = kind(path, per_second=1e-6, burst_seconds=burst * 1e6, max_clients=100)
    print("begins", flush=True)  # noqa: T201
    sys.stdin.readline()
    count = 0
    try:
        while True:
            buckets.take("client")
            count += 1
    except HttpError:
        return count


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), int(sys.argv[2]), locked="unlocked" not in sys.argv))  # noqa: T201
