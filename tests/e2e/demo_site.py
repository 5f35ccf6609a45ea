"""The demo newsroom as a site for a browser, with an article that contains every kind of content."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from ledgerpress.commands.command_handler import CommandHandler
from ledgerpress.commands.command_request_and_context import CommandRequest, CommandResult
from ledgerpress.eventlog.clock_randomness_ids import SystemClock
from ledgerpress.features.actors.model import FIRST_EVENT_COUNT
from ledgerpress.features.categories import CategoryRef
from ledgerpress.features.demo.load import DemoClock, load_demo
from ledgerpress.features.posts import (
    CreatePost,
    EditPost,
    EditWithCorrection,
    NewCorrection,
    PublishPost,
    UnpublishPost,
)
from ledgerpress.features.site.commands import LocalizeSite
from ledgerpress.operator.withdraw import withdraw_from
from ledgerpress.server.store import Store, open_store
from tests.integration.server_process import Servers

WEEKS: Final = 4 * 7 * 86_400_000_000
LONG_HISTORY: Final = 30
"""More edits than a page of a history or of corrections has."""
EVERYTHING: Final = """\
The mill stands on the quay[^1], and **turns** twice a day. See https://news.example.org/tides.

![A wheel](/static/icon.svg) ![](/static/icon.svg "Decoration")

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
async def demo_site(
    folder: Path, *options: str, language: str = "en", has_rare_states: bool = True
) -> AsyncIterator[str]:
    """Serve the demo, and yield the address of the site. `options` are those of `ledgerpress serve`."""
    data = folder / "demo"
    if not data.exists():
        await write_site(data, language, has_rare_states=has_rare_states)
    async with Servers(folder) as servers:
        host, port = await (await servers.start(data, *options)).address()
        yield f"http://{host}:{port}"


async def write_site(data: Path, language: str = "en", *, has_rare_states: bool = True) -> None:
    """Write the demo into a new store, if wanted with articles in states that are rare."""
    clock = DemoClock(SystemClock().now() - WEEKS)
    async with open_store(data, clock=clock) as store:
        await write_demo(store, clock, language)
        if has_rare_states:
            await write_states(store, data)


async def write_demo(store: Store, clock: DemoClock, language: str = "en") -> None:
    """Write the demo, and an article with every kind of content, into an empty store."""
    commands: Any = _CommandsInLanguage(store.commands, language)
    await load_demo(commands, clock)
    harbour = CategoryRef(slug="harbour")
    created = await store.commands.handle(
        CreatePost(
            title="The tide mill",
            slug="everything",
            teaser="It has stood on the quay for two centuries, and it turns with every tide.",
            body=EVERYTHING,
            categories=(harbour,),
            publish=True,
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


class _CommandsInLanguage:
    """Handles the commands of the demo, and sets the language of the site after the first one that records something."""

    def __init__(self, commands: CommandHandler, language: str) -> None:
        self._commands = commands
        self._language: str | None = language

    async def handle(self, command: Any, request: CommandRequest | None = None) -> CommandResult:
        result = await self._commands.handle(command, request)
        if self._language is not None and result.position > FIRST_EVENT_COUNT:
            await self._commands.handle(LocalizeSite(language=self._language))
            self._language = None
        return result


async def write_states(store: Store, data: Path) -> None:
    """Write articles in states that are rare: no longer public, with an erased text, and with a long history."""
    commands = store.commands
    unpublished = CreatePost(title="A mistake", slug="unpublished", body="It was wrong.", publish=True)
    await commands.handle(UnpublishPost(post_id=(await commands.handle(unpublished)).subject_id))
    erased = CreatePost(title="The quarrel", slug="erased", body="They quarrelled.", publish=True)
    post_id = (await commands.handle(erased)).subject_id
    edited = await commands.handle(EditPost(post_id=post_id, body="They quarrelled about money."))
    await commands.handle(PublishPost(post_id=post_id))
    await withdraw_from(store, data, edited.position, "A court's order.")
    often_edited = CreatePost(title="The regatta, live", slug="often-edited", body="Start.", publish=True)
    post_id = (await commands.handle(often_edited)).subject_id
    for number in range(LONG_HISTORY):
        await commands.handle(EditPost(post_id=post_id, body=f"Boat {number} is ahead.", publish=True))


@asynccontextmanager
async def empty_site(folder: Path, *options: str, language: str) -> AsyncIterator[str]:
    """Serve a site without articles, and yield its address."""
    data = folder / "empty"
    async with open_store(data) as store:
        await store.commands.handle(LocalizeSite(language=language))
    async with Servers(folder) as servers:
        host, port = await (await servers.start(data, *options)).address()
        yield f"http://{host}:{port}"
