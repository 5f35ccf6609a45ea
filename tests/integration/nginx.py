"""nginx in front of a server, with the directives of docs/how-to/run-in-production.md. Needs nginx; CI fails without it."""

import asyncio
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from ledgerpress.retry import poll

GUIDE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "run-in-production.md"
_START_SECONDS: Final = 20.0
_LOCATION: Final = re.compile(r"    location / \{\n(.*?)\n    \}", re.DOTALL)
_MAP: Final = re.compile(r"^map .*\}$", re.MULTILINE)
_CONFIGURATION: Final = """
daemon off;
master_process off;
pid nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {map}
    server {{
        listen 127.0.0.1:{port};
        location {prefix}/ {{
            proxy_pass {upstream};
            {directives}
        }}
    }}
}}
"""


def upstream_of(address: str | Path, path: str) -> str:
    """Return the value of `proxy_pass` for a server; nginx replaces the prefix by `path` unless `path` is empty."""
    place = f"unix:{address}:" if isinstance(address, Path) else address
    return f"http://{place}{path}"


def configuration(port: int, prefix: str, upstream: str, *, header: str) -> str:
    """Return the configuration with the directives of the guide and `header` in X-Forwarded-Prefix."""
    guide = GUIDE.read_text("utf-8")
    location, map_ = _LOCATION.search(guide), _MAP.search(guide)
    assert location is not None
    assert map_ is not None
    replaced = {"proxy_pass": "", "proxy_set_header X-Forwarded-Prefix": header}
    directives = [
        line.strip() for line in location[1].splitlines() if not line.strip().startswith(tuple(replaced))
    ]
    assert len(directives) >= 8
    directives.append(f'proxy_set_header X-Forwarded-Prefix "{header}";')
    return _CONFIGURATION.format(
        map=map_[0], port=port, prefix=prefix, upstream=upstream, directives="\n            ".join(directives)
    )


def _write(folder: Path, text: str) -> Path:
    folder.mkdir()
    file = folder / "nginx.conf"
    file.write_text(text, "utf-8")
    return file


@asynccontextmanager
async def proxied(
    address: str | Path, folder: Path, prefix: str, *, keeps_prefix: bool = False, header: str = ""
) -> AsyncIterator[str]:
    """Run nginx in front of the server at `address`; yield the host and port of nginx.

    nginx forwards requests under `prefix`, and removes the prefix unless `keeps_prefix` is true.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        reason = "nginx is not installed (Debian: apt-get install nginx)"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    upstream = upstream_of(address, "" if keeps_prefix else "/")
    file = _write(folder, configuration(port, prefix, upstream, header=header))
    with (folder / "nginx.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program, "-e", "stderr", "-p", f"{folder}/", "-c", str(file),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip

    async def accepts() -> bool | None:
        assert process.returncode is None, (folder / "nginx.log").read_text("utf-8")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return None
        writer.close()
        return True

    try:
        assert await poll(accepts, interval=0.02, timeout=_START_SECONDS)
        yield f"127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()  # on SIGTERM, an idle nginx without a master process may wait for its next request
        await process.wait()
