"""Views are rebuilt and switched while clients query and edit: no client notices."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ledgerpress.server.store import open_store
from scripts.workloads.generated_posts import HOUR, START, Generator, make_categories, record
from tests.integration.rebuild_load import clients, rebuild
from tests.integration.server_process import serving

pytestmark = pytest.mark.serial


@pytest.mark.parametrize("processes", [1, 2])
async def test_clients_do_not_notice_a_rebuild(
    tmp_path: Path, processes: int, record_property: Callable[[str, object], None]
) -> None:
    data = tmp_path / "store"
    async with open_store(data) as store:
        generator = Generator(await make_categories(store))
        await record(store, (generator.post(number, START + number * HOUR) for number in range(6_000)))
    kills: Sequence[float] = (0.2, 0.3) if processes == 1 else ()
    async with serving(data, processes) as servers, clients(servers[-1], pause=0.05) as load:
        await asyncio.sleep(0.5)
        result = await rebuild(data, servers[-1], kills)
        await asyncio.sleep(0.5)
    assert load.wrong == []
    assert result.answer["compared"]["tables"] == []
    counts = load.within(result.switched_from, result.switched_to)
    assert counts["query"], "no query ran during the switch"
    assert load.within(result.switched_to, result.switched_to + 0.5)["edit"], "no edit after the switch"
    record_property("queries in the switch", counts["query"])
    record_property("edits in the switch", counts["edit"])
