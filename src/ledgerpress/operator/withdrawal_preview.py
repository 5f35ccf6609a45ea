"""Show what a withdrawal would erase, and withdraw it after a confirmation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.eventlog.envelope import Header, StoredEvent, plaintext
from ledgerpress.eventlog.errors import UndecodableEvent
from ledgerpress.feature import FeatureSet
from ledgerpress.features.actors import projector_and_queries as actors
from ledgerpress.features.history import change_queries as changes
from ledgerpress.features.posts import article_queries
from ledgerpress.features.posts.corrections import queries as corrections
from ledgerpress.features.registry import FEATURES
from ledgerpress.operator import Confirm, Progress
from ledgerpress.operator.withdraw import checked_reason, event_to_withdraw, withdraw_from
from ledgerpress.server.log_url import LOCAL
from ledgerpress.server.store import Store, open_store
from ledgerpress.views.feature_declarations import Subject, kind_and_id
from ledgerpress.views.snapshot_and_cache_dependencies import Snapshot


@dataclass(frozen=True, slots=True)
class WithdrawalPreview:
    """The event whose payload would be erased, and what is visible of it now.

    `fields` are the values in the payload; `None` if it is already withdrawn. `public` are the names of the fields whose
    values the public article at `slug` shows now. `shows_correction`: whether the article shows a correction that the
    event recorded, in this or in a later wording: it disappears with the event. `current` are the names of those that are the current values of the
    changed object, which only editors see of a post.
    """

    header: Header
    actor: str
    reason: str | None
    fields: Mapping[str, Any] | None
    slug: str | None
    public: tuple[str, ...]
    shows_correction: bool
    current: tuple[str, ...]


async def withdraw_if_confirmed(
    data: Path,
    position: int,
    reason: str,
    confirm: Confirm[WithdrawalPreview],
    *,
    log: str = LOCAL,
    features: FeatureSet = FEATURES,
    progress: Progress | None = None,
) -> int:
    """Withdraw a payload as `withdraw` does, if `confirm` raises no error. Raises the errors of `withdraw`."""
    checked_reason(CommandRequest(reason=reason))
    async with open_store(data, log=log, features=features, create=False, progress=progress) as store:
        await confirm(await _preview(store, position))
        return await withdraw_from(store, data, position, reason)


async def _preview(store: Store, position: int) -> WithdrawalPreview:
    """Return what a withdrawal would erase. Raises `Rejection` if it is not possible."""
    event = await event_to_withdraw(store.log, position)
    payload = plaintext(event)
    fields: dict[str, Any] | None = None if payload is None else dict(payload.get("data") or {})
    texts = _texts(store, event, fields or {})
    with store.snapshot() as snapshot:
        actor = actors.actor(snapshot, event.header.actor_id)
        article = _article(snapshot, event.header.stream)
        shown = corrections.of_article(snapshot, article.id) if article else []
        change = changes.by_position(snapshot, position)
        return WithdrawalPreview(
            header=event.header,
            actor=actor.name if actor and actor.name else event.header.actor_id,
            reason=(payload or {}).get("reason"),
            fields=fields,
            slug=article.slug if article else None,
            public=_public(article, shown, position, fields or {}),
            shows_correction=any(correction.position == position for correction in shown),
            current=_current(snapshot, store.declared.subjects, change.subject if change else "", texts),
        )


def _article(snapshot: Snapshot, stream: str) -> article_queries.Article | None:
    kind, post_id = kind_and_id(stream)
    return article_queries.by_id(snapshot, post_id) if kind == "post" else None


def _texts(store: Store, event: StoredEvent, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the fields that are erased: the texts, or all if it is unknown which ones are texts."""
    try:
        remainder = store.codec.remainder(store.codec.decode(event).event)
    except UndecodableEvent:
        remainder = None
    return {name: value for name, value in fields.items() if remainder is None or name in remainder.erased}


def _public(
    article: article_queries.Article | None,
    shown_corrections: Sequence[corrections.Correction],
    position: int,
    fields: Mapping[str, Any],
) -> tuple[str, ...]:
    """Return the names of the fields whose values the article shows."""
    if article is None:
        return ()
    plain = ("slug", "title", "teaser")
    shown = [name for name in plain if fields.get(name) and getattr(article, name) == fields[name]]
    if article.body == position:
        shown.append("body")
    for correction in shown_corrections:
        if correction.position == position or correction.id == fields.get("correctionId"):
            values = {"note": correction.note, "passage": correction.passage, "correction": correction.note}
            shown += [name for name, value in values.items() if value and fields.get(name) == value]
    return tuple(shown)


def _current(
    snapshot: Snapshot, subjects: Mapping[str, Subject], name: str, fields: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return the names of the fields whose values are the current values of the subject of the event."""
    kind, subject_id = kind_and_id(name)
    subject = subjects.get(kind)
    values = subject.values(snapshot, subject_id) if subject else {}
    return tuple(
        name for name, value in fields.items() if value and name in values and values[name].show() == value
    )
