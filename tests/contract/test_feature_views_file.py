"""A process with other features builds its own views file and does not change existing ones."""

from pathlib import Path

from ledgerpress.features.registry import all_projectors, declared_views
from ledgerpress.server.store import open_store
from ledgerpress.views.files.views_directory import ViewsDirectory
from tests.contract.tags_feature import TAGS


async def test_views_of_another_set_of_features_are_neither_written_nor_deleted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with open_store(data) as store:
        first_party = store.views.path
    before = first_party.read_bytes()
    with_tags = declared_views(TAGS).projectors
    async with open_store(data, projectors=with_tags) as store:
        assert store.views.path != first_party
        assert ViewsDirectory(data, with_tags).is_ours(store.views.path)
    assert first_party.read_bytes() == before
    assert ViewsDirectory(data, all_projectors()).current == first_party
