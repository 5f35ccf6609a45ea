"""Queries of actors as of a snapshot, for features that require actors."""

from ledgerpress.features.actors.projector_and_queries import Actor, actor, actor_topic

__all__ = ["Actor", "actor", "actor_topic"]
