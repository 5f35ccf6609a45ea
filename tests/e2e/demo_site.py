"""The demo newsroom as a site for a browser, with an article that contains every kind of content."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from ledgerpress.eventlog.clock_randomness_ids import SystemClock
from ledgerpress.features.categories import CategoryRef
from ledgerpress.features.demo.load import DemoClock, load_demo
from ledgerpress.features.posts import CreatePost, EditWithCorrection, NewCorrection
from ledgerpress.features.site.commands import LocalizeSite
from ledgerpress.server.store import Store, open_store
from tests.integration.server_process import Servers

WEEKS: Final = 4 * 7 * 86_400_000_000
EVERYTHING: Final = """\
The mill stands on the quay[^1], and **turns** twice a day. See https://news.example.org/tides.

## Table

| Place | High water | Low water | Height in metres above the chart datum | Remarks of the harbour master |
| --- | --- | --- | --- | --- |
| Pellwick | 06:12 | 12:25 | 4.1 | Incomprehensibilitieslikethis |
| Skarra | 06:40 | 12:51 | 3.9 | none |

### Code

    wheel = "a very long line of code that does not fit into a narrow window, nor into a wide one, whatever its size is"

## List

- [x] grease the axle
- [ ] count the cogs

> Quite so.

<details><summary>More about the mill</summary>

It closed in 1931, with <kbd>Ctrl</kbd>, H<sub>2</sub>O, <ins>new</ins> and <mark>marked</mark> words.

</details>

---

[^1]: And in the water.
"""


@asynccontextmanager
async def demo_site(folder: Path, *options: str, language: str = "en") -> AsyncIterator[str]:
    """Serve the demo, and yield the address of the site. `options` are those of `ledgerpress serve`."""
    data = folder / "demo"
    if not data.exists():
        clock = DemoClock(SystemClock().now() - WEEKS)
        async with open_store(data, clock=clock) as store:
            await write_demo(store, clock, language)
    async with Servers(folder) as servers:
        host, port = await (await servers.start(data, *options)).address()
        yield f"http://{host}:{port}"


async def write_demo(store: Store, clock: DemoClock, language: str = "en") -> None:
    """Write the demo, and an article with every kind of content, into an empty store."""
    await load_demo(store.commands, clock)
    await store.commands.handle(LocalizeSite(language=language))
    harbour = CategoryRef(slug="harbour")
    created = await store.commands.handle(
        CreatePost(
            title="The tide mill", slug="everything", body=EVERYTHING, categories=(harbour,), publish=True
        )
    )
    await store.commands.handle(
        EditWithCorrection(
            post_id=created.subject_id,
            body=EVERYTHING.replace("twice", "four times"),
            publish=True,
            with_correction=NewCorrection(note="It turns with every tide.", passage="four times"),
        )
    )
