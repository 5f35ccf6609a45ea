"""Excludes items that are not public today from responses about the past.

A response about the past for readers contains no item that is hidden today. Pages skip hidden items while they are read
(`ledgerpress.views.paging`). For counts, the stored count is read, and the number of hidden items is subtracted. The
hidden items are computed once for each position, from the few items that were public before and are not public today.
"""

import sys
from collections.abc import Iterable
from itertools import chain
from typing import TypeAlias

from ledgerpress.views.feature_declarations import DeclaredViews
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot

_Hidden: TypeAlias = dict[int, set[int]]


class PublicFilter:
    """A filter for one request: items pass if they are public as of the snapshot `today`, by the rules of features."""

    def __init__(self, today: Snapshot, declared: DeclaredViews) -> None:
        self._snapshot = today
        self._db = today.db
        self._today = today.position
        self._declared = declared
        self._hidden: dict[int, _Hidden] = {}
        self._candidates: frozenset[int] | None = None

    def among(self, items: Iterable[int]) -> set[int]:
        """Return the items that are public today. Items are identified by the position of their creation."""
        return self._public(list(items), self._today)

    @property
    def hidden(self) -> frozenset[int]:
        """All items that were public before and are not public today. It may also contain items that never were."""
        if self._candidates is None:
            rules = self._declared.hidden
            read = lambda today: frozenset(  # noqa: E731
                chain(*(rule.no_longer_public(today.db, today.position) for rule in rules))
            )
            self._candidates = self._snapshot.once(
                ("items no longer public",), read, lambda items: sys.getsizeof(items) + 32 * len(items)
            )
        return self._candidates

    def count_hidden(self, ks: Iterable[int], position: int) -> int:
        """Return how many items in the listings `ks` as of `position` are not public today; each item counts once."""
        if position not in self._hidden:
            self._hidden[position] = self._hidden_at(position)
        hidden = self._hidden[position]
        return len(set().union(*(hidden[k] for k in ks if k in hidden)))

    def _public(self, items: list[int], position: int) -> set[int]:
        return set(chain(*(rule.public(self._db, items, position) for rule in self._declared.hidden)))

    def _hidden_at(self, position: int) -> _Hidden:
        items = list(self._public(sorted(self.hidden), position))
        hidden: _Hidden = {}
        for contribution in self._declared.listings:
            if items and contribution.listings_of is not None:
                for k, item in contribution.listings_of(self._db, items, position):
                    hidden.setdefault(k, set()).add(item)
        return hidden
