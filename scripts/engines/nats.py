"""Real NATS servers, from the wheel: one, or a cluster of three. Each is started, stopped, killed, and never left behind.

A server stores in a directory of its own and listens on free ports, which it keeps when it is started again.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
_HOST: Final = "127.0.0.1"


def program() -> str:
    """Return the path of the server's program."""
    found = Path(sysconfig.get_path("scripts")) / "nats-server"
    return str(found) if found.exists() else shutil.which("nats-server") or str(found)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, all different."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((_HOST, 0))
        return [one.getsockname()[1] for one in sockets]


class NatsServer:
    """One server with JetStream. `sync_interval` is the setting's text, or nothing for the server's default."""

    def __init__(
        self,
        directory: Path,
        *,
        name: str = "n1",
        sync_interval: str | None = "always",
        more: str = "",
        monitored: bool = True,
    ) -> None:
        """Keep everything in `directory`; `more` is put into the configuration as it is."""
        self.name = name
        self.directory = directory
        self.port, self._monitor_port = free_ports(2)
        self._sync_interval = sync_interval
        self._more = more
        self._monitored = monitored
        self.configuration: str | None = None
        """The whole text of its configuration, in place of what is made of the rest."""
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False

    @property
    def address(self) -> str:
        """`host:port`, where clients connect."""
        return f"{_HOST}:{self.port}"

    @property
    def monitor(self) -> str:
        """The address of what it says of itself."""
        return f"http://{_HOST}:{self._monitor_port}"

    @property
    def output(self) -> Path:
        """The file with everything that it says."""
        return self.directory / "output"

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of its process."""
        if self._process is None:
            raise RuntimeError(f"the NATS server {self.name} is not running")
        return self._process.pid

    def url(self, publication: str, **parameters: str) -> str:
        """Return the URL of the log of a publication on it."""
        return log_url([self], publication, **parameters)

    def launch(self) -> None:
        """Start it, and do not wait."""
        self.directory.mkdir(parents=True, exist_ok=True)
        configuration = self.directory / "nats.conf"
        configuration.write_text(self.configuration or self._configuration(), "utf-8")
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [program(), "-c", str(configuration)], stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it takes requests."""
        self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it takes requests, and has read what it stores."""
        wait_until(self._is_ready, f"the NATS server {self.name}", self.output)

    def stop(self) -> None:
        """Stop it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it in order, if it runs, and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Stop it from doing anything, its connections open (SIGSTOP); return when none of its threads runs any more."""
        self._signal(signal.SIGSTOP)
        self._paused = True
        wait_until(lambda: _stands_still(self.pid), f"the end of what {self.name} does", self.output)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)
        self._paused = False

    def says(self, path: str) -> Any:
        """Return what it says of itself at a path of the monitoring address, such as `/varz`."""
        with urllib.request.urlopen(self.monitor + path, timeout=2) as answer:  # noqa: S310 - http, here
            return json.load(answer)

    def _configuration(self) -> str:
        sync = f"sync_interval: {self._sync_interval}" if self._sync_interval else ""
        monitor = f'http: "{_HOST}:{self._monitor_port}"' if self._monitored else ""
        return (
            f'server_name: {self.name}\nlisten: "{self.address}"\n{monitor}\n'
            f"jetstream {{ store_dir: {json.dumps(str(self.directory / 'store'))}\n{sync} }}\n{self._more}\n"
        )

    def _is_ready(self) -> bool:
        if not self.is_running:
            raise RuntimeError(f"the NATS server {self.name} ended: {self.output.read_text('utf-8')}")
        if not self._monitored:
            with suppress(OSError), socket.create_connection((_HOST, self.port), 1) as connection:
                return b"INFO" in connection.recv(4)
            return False
        with suppress(OSError, urllib.error.URLError, ValueError):
            return bool(self.says("/healthz")["status"] == "ok")
        return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._paused:
            self.resume()
        if self.is_running:
            self._signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None


class NatsCluster:
    """Three servers as one cluster."""

    def __init__(self, directory: Path, *, sync_interval: str | None = "always", size: int = 3) -> None:
        ports = free_ports(size)
        routes = ", ".join(f'"nats://{_HOST}:{port}"' for port in ports)
        self.servers = [
            NatsServer(
                directory / f"n{number}",
                name=f"n{number}",
                sync_interval=sync_interval,
                more=f'cluster {{ name: press, listen: "{_HOST}:{port}", routes: [{routes}], no_advertise: true }}',
            )
            for number, port in enumerate(ports, 1)
        ]

    def url(self, publication: str, **parameters: str) -> str:
        """Return the URL of the log of a publication in it."""
        return log_url(self.servers, publication, **parameters)

    def start(self) -> None:
        """Start all, and wait until they are one cluster that takes requests."""
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_ready()
        wait_until(self._has_leader, "the cluster's leader", self.servers[0].output)

    def stop(self) -> None:
        """Stop all that run."""
        for server in self.servers:
            with suppress(subprocess.TimeoutExpired):
                server.kill()

    def named(self, name: str) -> NatsServer:
        """Return the server of that name."""
        return next(server for server in self.servers if server.name == name)

    def leader(self, stream: str) -> NatsServer | None:
        """Return the server that leads a stream, as the first that can be asked knows; `None` while there is none."""
        for server in self.servers:
            name = _group(server, stream).get("leader", "")
            if name and self.named(name).is_running:
                return self.named(name)
        return None

    def is_current(self, stream: str) -> bool:
        """Whether every server has all of a stream, as its leader knows."""
        leader = self.leader(stream)
        replicas = [] if leader is None else _group(leader, stream).get("replicas", [])
        return len(replicas) == len(self.servers) - 1 and all(
            one.get("current", False) and not one.get("offline", False) for one in replicas
        )

    def _has_leader(self) -> bool:
        with suppress(OSError, ValueError):
            meta = self.servers[0].says("/jsz").get("meta_cluster", {})
            return bool(meta.get("leader")) and meta.get("cluster_size") == len(self.servers)
        return False


def log_url(servers: Sequence[NatsServer], publication: str, **parameters: str) -> str:
    """Return the URL of the log of a publication on `servers`, with their monitoring addresses in it."""
    addresses = ",".join(server.address for server in servers)
    monitors = ",".join(server.monitor for server in servers)
    pairs = {"monitor": monitors, **parameters}
    rest = "".join(f"&{name}={value}" for name, value in pairs.items() if value)
    return f"nats://{addresses}?publication={publication}{rest}"


def _stands_still(pid: int) -> bool:
    """Return whether all threads of a process are stopped, where the system tells (proc(5))."""
    states = [
        file.read_text("utf-8").rpartition(")")[2].split()[0]
        for file in Path(f"/proc/{pid}/task").glob("*/stat")
    ]
    return all(state == "T" for state in states)


def _group(server: NatsServer, stream: str) -> dict[str, Any]:
    """Return what a server knows of those that hold a stream; nothing where it cannot be asked."""
    with suppress(OSError, ValueError):
        accounts = server.says("/jsz?streams=true&accounts=true").get("account_details", [])
        for found in (one for account in accounts for one in account.get("stream_detail", [])):
            if found["name"] == stream:
                group: dict[str, Any] = found.get("cluster", {})
                return group
    return {}


@contextmanager
def running(server: "NatsServer | NatsCluster") -> Iterator[None]:
    """Have it run, and stopped in the end, whatever happens."""
    try:
        server.start()
        yield
    finally:
        server.stop()


@contextmanager
def temporary_server(**settings: Any) -> Iterator[NatsServer]:
    """A server that runs in a directory which is removed in the end."""
    with tempfile.TemporaryDirectory(prefix="nats-") as directory:
        server = NatsServer(Path(directory), **settings)
        with running(server):
            yield server


@contextmanager
def temporary_cluster(**settings: Any) -> Iterator[NatsCluster]:
    """A cluster that runs in a directory which is removed in the end."""
    with tempfile.TemporaryDirectory(prefix="nats-") as directory:
        cluster = NatsCluster(Path(directory), **settings)
        with running(cluster):
            yield cluster


def wait_until(condition: Callable[[], bool], what: str, output: Path) -> None:
    """Wait until `condition` holds; fail with what was said where it takes too long."""
    give_up = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            raise RuntimeError(f"{what} did not come up: {output.read_text('utf-8')}")
        time.sleep(0.02)


def main() -> None:
    """Run one server until somebody presses a key: to try things out."""
    with temporary_server() as server:
        sys.stdout.write(server.url("daily") + "\n")
        sys.stdin.readline()


if __name__ == "__main__":
    main()
