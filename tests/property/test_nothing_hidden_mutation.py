"""The comparison of `test_nothing_hidden_is_shown` fails if any one rule that hides something is broken."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from ledgerpress.features.feeds import feed_selection
from ledgerpress.features.feeds.document_cache import DocumentCache
from ledgerpress.features.feeds.entries import EntryWriter
from ledgerpress.features.posts.corrections import queries as corrections
from ledgerpress.features.public_history import inclusion_proof
from ledgerpress.features.public_history.inclusion_proof import InclusionProof
from ledgerpress.features.site_pages import menu_targets
from ledgerpress.http.pages import conditional_requests
from ledgerpress.views.filter_past_items_public_today import PublicFilter
from tests.property.reader_of_everything import read_history

SEEDS: Final = range(1, 9)
STEPS: Final = 120
STOPS: Final = 12
SITE_PAGES: Final = "ledgerpress.features.site_pages.html_pages"
PUBLIC_HISTORY: Final = "ledgerpress.features.public_history.proof_pages"


def show_hidden_items_of_the_past(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PublicFilter, "among", lambda _, items: set(items))


def show_retracted_corrections_in_archives(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        EntryWriter, "_public_corrections", lambda _, view, post_id: corrections.of_article(view, post_id)
    )


def never_write_a_document_again(patch: pytest.MonkeyPatch) -> None:
    documents: dict[Any, Any] = {}
    original = DocumentCache.get

    def get(self: DocumentCache, key: Any, write: Any) -> Any:
        if key not in documents:
            documents[key] = original(self, key, write)
        return documents[key]

    patch.setattr(DocumentCache, "get", get)


def accept_any_entity_tag(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(conditional_requests, "client_has", lambda request, _: "if-none-match" in request.headers)


def show_links_to_hidden_pages(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        f"{SITE_PAGES}.resolved_items",
        lambda snapshot: [each._replace(href="/") for each in menu_targets.resolved_items(snapshot)],
    )


def show_actors_in_proofs(patch: pytest.MonkeyPatch) -> None:
    def proof_of(snapshot: Any, publication: str, article: str, *numbers: int) -> InclusionProof:
        (name,) = snapshot.db.execute("SELECT max(name) FROM actor_name WHERE name LIKE 'zq%'").fetchone()
        return inclusion_proof.proof_of(snapshot, publication, f"{article} by {name}", *numbers)

    patch.setattr(f"{PUBLIC_HISTORY}.proof_of", proof_of)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mutate",
    [
        show_hidden_items_of_the_past,
        show_retracted_corrections_in_archives,
        never_write_a_document_again,
        accept_any_entity_tag,
        show_links_to_hidden_pages,
        show_actors_in_proofs,
    ],
)
async def test_a_broken_rule_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutate: Callable[[pytest.MonkeyPatch], None]
) -> None:
    monkeypatch.setattr(feed_selection, "ARCHIVE_SIZE", 3)
    mutate(monkeypatch)
    for seed in SEEDS:  # a rule that hides something rare is not needed in every history
        try:
            await read_history(tmp_path / str(seed), seed, steps=STEPS, stops=STOPS, is_open=True)
        except AssertionError as error:
            assert re.search(r"'zq\d+qz'|not modified", str(error))  # noqa: PT017 - another failure proves nothing
            return
    pytest.fail(f"{mutate.__name__} was not found")
