"""What somebody sees of what is not public: posts, their past, and who changed them."""

from dataclasses import dataclass
from typing import Final

from ledgerpress.commands.identity import Identity, Permission
from ledgerpress.features.posts import post_queries
from ledgerpress.views.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Visibility:
    """What somebody sees beyond what everyone does. `own` is the actor whose posts they see as their own, if any."""

    every_post: bool = False
    history: bool = False
    own: str | None = None
    tokens: bool = False

    @classmethod
    def of(cls, identity: Identity) -> "Visibility":
        """Return what somebody sees."""
        return cls(
            every_post=identity.may(Permission.READ_POSTS),
            history=identity.may(Permission.READ_HISTORY),
            own=identity.actor_id if identity.may(Permission.READ_OWN_POSTS) else None,
            tokens=identity.may(Permission.READ_TOKENS),
        )

    @property
    def some_posts(self) -> bool:
        """Whether there may be posts that they see."""
        return self.every_post or self.own is not None

    def owns(self, snapshot: Snapshot, seq: int) -> bool:
        """Return whether a post, named by the position of its creation, is their own."""
        return self.own is not None and post_queries.created_by(snapshot, seq) == self.own

    def sees_post(self, snapshot: Snapshot, seq: int) -> bool:
        """Return whether they see a post, named by the position of its creation."""
        return self.every_post or self.owns(snapshot, seq)

    def sees_actor(self, actor_id: str) -> bool:
        """Return whether they may look an actor up: all with the history, and otherwise themselves."""
        return self.history or self.own == actor_id


PUBLIC: Final = Visibility()
"""What everyone sees."""
