"""A real browser for tests: headless Chromium, controlled by the Chrome DevTools Protocol over two pipes."""

import asyncio
import base64
import fcntl
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ledgerpress.retry import poll

TIMEOUT = 120.0
"""The timeout of each step, in seconds: a machine that runs other tests can be slow."""

# The browser contacts no background service, and resolves no name except the local address.
OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)
# The protocol's pipes are the browser's descriptors 3 and 4.
_NAVIGATED = ("Inspected target navigated or closed", "Execution context was destroyed.")
"""The errors of an expression that is evaluated while the page changes."""
_LAUNCH = "import os, sys; os.dup2({0}, 3); os.dup2({1}, 4); os.execv(sys.argv[1], sys.argv[1:])"


def find() -> str | None:
    """Return the path of the browser, or `None` if it is not installed."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


class BrowserError(Exception):
    """The browser could not do what a test asked for."""


class Page:
    """A tab. `requests` contains the requested addresses, `complaints` its console errors, warnings and exceptions."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._writer = writer
        self._session: str | None = None
        self._responses: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listening = asyncio.create_task(self._listen(reader))

    async def open(self) -> None:
        target = await self._call("Target.createTarget", url="about:blank")
        attached = await self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self._call(f"{domain}.enable")

    async def go(self, url: str, *, width: int = 1200, height: int = 900, lands: str | None = None) -> None:
        """Load an address in a window of this size, and wait until it is complete, at `lands` if it redirects."""
        await self.resize(width, height)
        await self._call("Page.navigate", url=url)
        await self.until(
            f"location.href === {json.dumps(lands or url)} && document.readyState === 'complete'"
        )

    async def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        response = await self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in response, response["exceptionDetails"]
        return response["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is truthy. Raises `TimeoutError`."""

        async def is_truthy() -> bool | None:
            try:
                return bool(await self.value(f"Boolean({expression})")) or None
            except BrowserError as error:
                if str(error) in _NAVIGATED:
                    return None
                raise

        if not await poll(is_truthy, interval=0.05, timeout=TIMEOUT):
            raise TimeoutError(expression)

    async def resize(self, width: int, height: int = 900) -> None:
        """Give the window another size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self._call("Emulation.setDeviceMetricsOverride", **size)

    async def press(
        self, key: str, code: int, *, shift: bool = False, control: bool = False, text: str = ""
    ) -> None:
        """Press and release a key: its name, and its Windows virtual key code, by which Chromium knows it.

        `text` is what the key writes; buttons react to Enter only with its text.
        """
        modifiers = 8 * shift + 2 * control
        physical = f"Key{key.upper()}" if len(key) == 1 else key
        event = {"key": key, "code": physical, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        await self._call(
            "Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **event
        )
        await self._call("Input.dispatchKeyEvent", type="keyUp", **event)

    async def tap(self, expression: str) -> None:
        """Touch the middle of the element that a JavaScript expression returns."""
        box = await self.value(f"({expression}).getBoundingClientRect().toJSON()")
        point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        await self._call("Emulation.setTouchEmulationEnabled", enabled=True)
        await self._call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
        await self._call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    async def click(self, expression: str) -> None:
        """Press and release the mouse in the middle of the element that a JavaScript expression returns."""
        box = await self.value(f"({expression}).getBoundingClientRect().toJSON()")
        point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        for action in ("mousePressed", "mouseReleased"):
            await self._call("Input.dispatchMouseEvent", type=action, button="left", clickCount=1, **point)

    async def listeners(self) -> list[tuple[str, str]]:
        """Return the listeners of all elements: the type of the event, and the name of the element."""
        root = await self._call("Runtime.evaluate", expression="document")
        result = await self._call(
            "DOMDebugger.getEventListeners", objectId=root["result"]["objectId"], depth=-1
        )
        await self._call("DOM.enable")
        await self._call("DOM.getDocument")
        return [(each["type"], await self._node_name(each["backendNodeId"])) for each in result["listeners"]]

    async def _node_name(self, backend_id: int) -> str:
        node = await self._call("DOM.describeNode", backendNodeId=backend_id)
        name: str = node["node"]["nodeName"]
        return name

    async def picture(self) -> bytes:
        """Return a screenshot as PNG."""
        return base64.b64decode((await self._call("Page.captureScreenshot"))["data"])

    async def prefer(self, scheme: str, *, is_forced: bool = False) -> None:
        """Set the preferred colour scheme, `light` or `dark`, and whether the system forces its colours on pages."""
        features = {"prefers-color-scheme": scheme, "forced-colors": "active" if is_forced else "none"}
        await self._call(
            "Emulation.setEmulatedMedia",
            features=[{"name": name, "value": value} for name, value in features.items()],
        )

    async def prefer_paper(self) -> None:
        """Show pages as they are printed."""
        await self._call("Emulation.setEmulatedMedia", media="print")

    async def disable_scripts(self) -> None:
        """Run no scripts of pages from now on. Expressions of a test still run."""
        await self._call("Emulation.setScriptExecutionDisabled", value=True)

    async def close(self) -> None:
        """Close the browser."""
        self._session = None
        await self._call("Browser.close")
        await self._listening
        self._writer.close()

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = len(self._responses) + 1
        response = self._responses[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._writer.write(json.dumps(message).encode() + b"\0")
        return await asyncio.wait_for(response, TIMEOUT)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                message = json.loads((await reader.readuntil(b"\0"))[:-1])
            except asyncio.IncompleteReadError:
                return  # the browser has exited
            if "id" in message:
                response = self._responses[message["id"]]
                if "error" in message:
                    response.set_exception(BrowserError(message["error"]["message"]))
                else:
                    response.set_result(message["result"])
            else:
                self._note(message["method"], message["params"])

    def _note(self, event: str, parameters: dict[str, Any]) -> None:
        match event:
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(parameters["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(parameters["exceptionDetails"]["text"])
            case "Runtime.consoleAPICalled" if parameters["type"] in {"error", "warning"}:
                self.complaints.append(
                    " ".join(str(argument.get("value")) for argument in parameters["args"])
                )
            case _:
                pass


@asynccontextmanager
async def browser(path: str, profile: Path) -> AsyncIterator[Page]:
    """Start the browser at `path` with an empty profile, and yield its page."""
    browser_reads, we_write = _pipe()
    we_read, browser_writes = _pipe()
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", _LAUNCH.format(browser_reads, browser_writes),
        path, *OPTIONS, *root, f"--user-data-dir={profile}", "about:blank",
        pass_fds=(browser_reads, browser_writes),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(browser_reads)
    os.close(browser_writes)
    try:
        page = await _connect(we_read, we_write)
        await page.open()
        yield page
        await page.close()
        async with asyncio.timeout(TIMEOUT):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _connect(we_read: int, we_write: int) -> Page:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(we_read, "rb"))
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(we_write, "wb")
    )
    return Page(reader, asyncio.StreamWriter(transport, protocol, None, loop))


def _pipe() -> tuple[int, int]:
    """Return a pipe whose descriptors are at least 10, so that they differ from the browser's 3 and 4."""
    low = os.pipe()
    high = tuple(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10) for descriptor in low)
    for descriptor in low:
        os.close(descriptor)
    return high[0], high[1]
