"""What features above actors need to read actors, as of a snapshot."""

from ledgerpress.features.actors.projector_and_queries import Actor, actor, actor_topic

__all__ = ["Actor", "actor", "actor_topic"]
