"""Run the code blocks of one page in order, as a reader would, in a directory that represents the reader's machine.

Each page gets a copy of the demo newsroom in `ledgerpress-data` and in `/srv/ledgerpress/data`. A server serves it if a
block needs a server. Absolute paths are redirected to the temporary directory, and 127.0.0.1:8000 to the server.
Programs that would change the machine, or that need another machine, are replaced: see `SIMULATED`.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self
from urllib.error import HTTPError

from tests.integration.documented_blocks import ROOT, Block

SECONDS: Final = 180

SIMULATED: Final = {
    "git": "the checkout is there already",
    "pip": "needs a package index; tests/integration/test_setup.py installs the package",
    "install": "needs a user of the system",
    "scripts/bench": "it measures for minutes",
    "scripts/check": ".ci/run runs it",
    "scripts/cluster": "tests/integration/test_cluster.py runs it",
    "scripts/scale": "it measures for minutes; tests/unit/test_scale_page.py checks its figures",
    "scripts/schema": "scripts/check runs it",
    "scripts/setup": "tests/integration/test_setup.py runs it",
    "scripts/test": "it runs this test",
    "systemctl": "needs systemd",
    "useradd": "changes the machine",
    "uvicorn": "tests/integration/test_embedding.py serves the application with it",
}
"""Programs that do nothing here, and why."""
ALLOWED: Final = ("cat", "cp", "cut", "date", "env", "head", "ls", "mkdir", "mktemp", "rm", "sh", "tail")
"""Programs of the machine that a page may run. All others are not on the path, so no page can change the machine."""

_PROGRAM: Final = f'exec "{sys.executable}" -m ledgerpress "$@"'
_SHIMS: Final = {
    "ledgerpress": f'if [ "$1" = serve ]; then exec "{sys.executable}" -m {__name__} "$@"; fi\n{_PROGRAM}',
    "scripts/serve": f'exec "{sys.executable}" -m {__name__} serve "$@"',
    ".venv/bin/ledgerpress": 'exec ledgerpress "$@"',
    "python": f'exec "{sys.executable}" "$@"',
    "curl": f'exec "{sys.executable}" -m {__name__} curl "{shutil.which("curl")}" "$@"',
    "sudo": 'if [ "$1" = -u ]; then shift 2; fi; exec "$@"',
    "ssh": 'shift; exec sh -c "$*"',
    "zstd": "exec cat",
    **dict.fromkeys(SIMULATED, "exit 0"),
}
_ADDRESS: Final = "127.0.0.1:8000"
_ABSOLUTE: Final = re.compile(r"(?<![\w./$-])/(etc|opt|srv|tmp|var)/")
_PRINTED_ADDRESS: Final = re.compile(r"http://([0-9.]+:\d+)/graphql")
_PRINTED_TOKEN: Final = re.compile(r"^  admin token (lp_[A-Za-z0-9_-]{43}) ", re.MULTILINE)
_ID_TO_FILL_IN: Final = re.compile(r'\bid: "(?:…|POST_ID)"')
_AUTHOR_ID: Final = "AUTHOR_ID"


class Reader:
    """Runs the blocks of a page; on exit, stops the server that the page started."""

    def __init__(self, directory: Path, demo: Path) -> None:
        """Prepare `directory`; `demo` is a data directory to copy."""
        self._state = directory
        self._checkout = directory / "checkout"
        self._post_id = ""
        self._author_id = ""
        self._result: Any = None
        self._checkout.mkdir()
        for entry in ROOT.iterdir():
            if entry.name not in {"scripts", ".venv", "ledgerpress-data", "data"}:
                (self._checkout / entry.name).symlink_to(entry)
        for name, script in _SHIMS.items():
            shim = (self._checkout if "/" in name else directory / "bin") / name
            shim.parent.mkdir(parents=True, exist_ok=True)
            shim.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
            shim.chmod(0o755)
        for name in ALLOWED:
            if program := shutil.which(name):
                (directory / "bin" / name).symlink_to(program)
        for folder in ("etc/ledgerpress", "srv/ledgerpress", "tmp", "var/tmp", "var/backups/ledgerpress"):
            (directory / folder).mkdir(parents=True)
        for data in (self._checkout / "ledgerpress-data", directory / "srv/ledgerpress/data"):
            shutil.copytree(demo, data)
        (directory / "etc/ledgerpress/log").write_text(
            f"sqlite:{directory}/srv/ledgerpress/data/log.sqlite\n", "utf-8"
        )
        (directory / "environment").touch()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        stop_server(self._state)

    def run_page(self, page: Iterable[Block]) -> None:
        """Run the blocks of a page, except those marked as “not run”."""
        for block in page:
            if block.not_run is None:
                self._run(block)

    def _run(self, block: Block) -> None:
        """Run a block, or compare it with the previous result; fail if the outcome differs from the page."""
        if block.saved_as is not None:
            self._path(block.saved_as).write_text(self._local(block.code), "utf-8")
        elif block.language == "sh":
            self._run_shell(block)
        elif block.language == "graphql":
            self._run_operation(block)
        elif block.language == "json" and self._result is not None:
            difference = difference_of(json.loads(block.code), self._result)
            assert difference is None, (
                f"{block.place}: {difference}; the result was {json.dumps(self._result)}"
            )
        self._result = self._result if block.language in {"sh", "graphql"} else None

    def _run_shell(self, block: Block) -> None:
        if "curl" in block.text and "serve" not in block.text:
            self._need_server()
        script = f"set -e\n. '{self._state}/environment'\n{self._local(block.code)}\nexport -p > '{self._state}/environment'\n"
        ended = self._shell(script)
        assert ended.returncode == int(block.fails or 0), (
            f"{block.place}: exit code {ended.returncode}\n{block.text}\n{ended.stdout}\n{ended.stderr}"
        )
        try:
            self._result = _without_extensions(json.loads(ended.stdout))
        except ValueError:
            self._result = None

    def _run_operation(self, block: Block) -> None:
        self._need_server()
        query = block.code
        if _ID_TO_FILL_IN.search(query):
            assert self._post_id, f"{block.place}: no earlier response contains the id of a post"
            query = _ID_TO_FILL_IN.sub(f'id: "{self._post_id}"', query)
        if _AUTHOR_ID in query:
            assert self._author_id, f"{block.place}: no earlier response contains the id of an author"
            query = query.replace(_AUTHOR_ID, self._author_id)
        result = self._result = _without_extensions(self._post(query))
        assert "errors" not in result, f"{block.place}: {result['errors']}"
        for payload in result["data"].values():
            errors = payload.get("userErrors", []) if isinstance(payload, dict) else []
            codes = [error.get("code") for error in errors]
            assert codes == ([block.fails] if block.fails else []), f"{block.place}: {errors}"
            post = payload.get("post") if isinstance(payload, dict) else None
            self._post_id = (post or {}).get("id", self._post_id)
            author = payload.get("author") if isinstance(payload, dict) else None
            self._author_id = (author or {}).get("id", self._author_id)

    def _need_server(self) -> None:
        if not (self._state / "address").exists():
            ended = self._shell("ledgerpress serve")
            assert ended.returncode == 0, ended.stdout + ended.stderr

    def _post(self, query: str) -> Any:
        request = urllib.request.Request(
            f"http://{(self._state / 'address').read_text()}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self._token()}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:
                return json.load(response)
        except HTTPError as error:
            return json.load(error)

    def _shell(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=self._checkout,
            env={
                **{name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ},
                "PATH": str(self._state / "bin"),
                "PYTHONPATH": str(ROOT),
                "READER_STATE": str(self._state),
                "TOKEN": self._token(),
            },
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    def _token(self) -> str:
        file = self._state / "token"
        return file.read_text() if file.exists() else ""

    def _local(self, code: str) -> str:
        return _ABSOLUTE.sub(rf"{self._state}/\1/", code)

    def _path(self, name: str) -> Path:
        path = self._checkout / self._local(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def difference_of(shown: Any, result: Any, place: str = "data") -> str | None:
    """Describe the first difference between a result and the result on the page, or return `None`.

    Names, lengths and numbers are compared, texts are not.
    """
    if isinstance(shown, dict) and isinstance(result, dict):
        if set(shown) != set(result):
            return f"{place} has the fields {sorted(result)}, not {sorted(shown)}"
        differences = (difference_of(shown[name], result[name], f"{place}.{name}") for name in shown)
    elif isinstance(shown, list) and isinstance(result, list) and len(shown) == len(result):
        differences = (
            difference_of(*pair, f"{place}[{index}]")
            for index, pair in enumerate(zip(shown, result, strict=True))
        )
    elif shown == result or (isinstance(shown, str) and isinstance(result, str)):
        return None
    else:
        return f"{place} is {result!r}, not {shown!r}"
    return next((difference for difference in differences if difference is not None), None)


def _without_extensions(result: Any) -> Any:
    return (
        {name: result[name] for name in result if name != "extensions"}
        if isinstance(result, dict)
        else result
    )


# --- the programs that the shims run --------------------------------------------------------------------------------


def stop_server(state: Path) -> None:
    """Stop the server that a page has started, if any."""
    process = state / "process"
    if process.exists():
        with suppress(ProcessLookupError):
            os.killpg(int(process.read_text()), signal.SIGKILL)
        process.unlink()
    (state / "address").unlink(missing_ok=True)


def serve(state: Path, options: Sequence[str]) -> int:
    """Start `ledgerpress serve` in the background on a free port, replacing the previous server, and wait for it."""
    stop_server(state)
    output = state / "server.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "ledgerpress", "serve", *options, "--port", "0"],
            stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    (state / "process").write_text(str(process.pid))
    while not (address := _PRINTED_ADDRESS.search(text := output.read_text("utf-8"))) or "Ctrl+C" not in text:
        try:
            code = process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        sys.stderr.write(text)
        return code or 1
    (state / "address").write_text(address[1])
    if token := _PRINTED_TOKEN.search(text):
        (state / "token").write_text(token[1])
    sys.stdout.write(text)
    return 0


def curl(state: Path, arguments: Sequence[str]) -> int:
    """Run curl with the address of the server. A stream that does not end is stopped after 5 seconds."""
    address = (state / "address").read_text()
    program, *options = arguments
    streams = any(re.fullmatch(r"-\w*N\w*|--no-buffer", argument) for argument in options)
    ended = subprocess.run(
        [program, *(["--max-time", "5"] if streams else ["--fail"]), *(option.replace(_ADDRESS, address) for option in options)],
        stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    sys.stdout.buffer.write(ended.stdout)
    return 0 if streams and b"data:" in ended.stdout else ended.returncode


if __name__ == "__main__":
    _, command, *rest = sys.argv
    sys.exit({"serve": serve, "curl": curl}[command](Path(os.environ["READER_STATE"]), rest))
