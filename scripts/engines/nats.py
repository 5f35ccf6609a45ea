"""Real NATS servers from the wheel: one server, or a cluster of three. They are always stopped at the end.

A server stores its data in its own directory and listens on free ports. It keeps its ports when it is restarted.
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
    """Return the path of the program `nats-server`."""
    path = Path(sysconfig.get_path("scripts")) / "nats-server"
    return str(path) if path.exists() else shutil.which("nats-server") or str(path)


def free_ports(count: int) -> list[int]:
    """Return different ports that are not in use."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind((_HOST, 0))
        return [listener.getsockname()[1] for listener in sockets]


class NatsServer:
    """One server with JetStream. `sync_interval` is the text of the setting, or `None` for the server's default."""

    def __init__(
        self,
        directory: Path,
        *,
        name: str = "n1",
        sync_interval: str | None = "always",
        more: str = "",
        monitored: bool = True,
    ) -> None:
        """Store everything in `directory`. `more` is added to the configuration unchanged."""
        self.name = name
        self.directory = directory
        self.port, self._monitor_port = free_ports(2)
        self._sync_interval = sync_interval
        self._more = more
        self._monitored = monitored
        self.configuration: str | None = None
        """The complete configuration, if it replaces the configuration that the other arguments give."""
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False

    @property
    def address(self) -> str:
        """The `host:port` to which clients connect."""
        return f"{_HOST}:{self.port}"

    @property
    def monitor(self) -> str:
        """The URL of the monitoring endpoint."""
        return f"http://{_HOST}:{self._monitor_port}"

    @property
    def output(self) -> Path:
        """The file with the output of the server."""
        return self.directory / "output"

    @property
    def is_running(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of the process."""
        if self._process is None:
            raise RuntimeError(f"the NATS server {self.name} is not running")
        return self._process.pid

    def url(self, publication: str, **parameters: str) -> str:
        """Return the URL of the log of a publication on this server."""
        return log_url([self], publication, **parameters)

    def launch(self) -> None:
        """Start the server without waiting until it is ready."""
        self.directory.mkdir(parents=True, exist_ok=True)
        configuration = self.directory / "nats.conf"
        configuration.write_text(self.configuration or self._configuration(), "utf-8")
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [program(), "-c", str(configuration)], stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def start(self) -> None:
        """Start the server, and wait until it accepts requests."""
        self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the server accepts requests and has read its stored data."""
        wait_until(self._is_ready, f"the NATS server {self.name}", self.output)

    def stop(self) -> None:
        """Stop the server gracefully (SIGTERM)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop the server gracefully if it is running, and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Suspend the server with its connections open (SIGSTOP); return when all its threads are stopped."""
        self._signal(signal.SIGSTOP)
        self._paused = True
        wait_until(lambda: _is_suspended(self.pid), f"the suspension of {self.name}", self.output)

    def resume(self) -> None:
        """Continue a paused server (SIGCONT)."""
        self._signal(signal.SIGCONT)
        self._paused = False

    def monitoring_data(self, path: str) -> Any:
        """Return the JSON at a path of the monitoring endpoint, such as `/varz`."""
        with urllib.request.urlopen(self.monitor + path, timeout=2) as answer:  # noqa: S310 - http, on this machine
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
            raise RuntimeError(f"the NATS server {self.name} has ended: {self.output.read_text('utf-8')}")
        if not self._monitored:
            with suppress(OSError), socket.create_connection((_HOST, self.port), 1) as connection:
                return b"INFO" in connection.recv(4)
            return False
        with suppress(OSError, urllib.error.URLError, ValueError):
            return bool(self.monitoring_data("/healthz")["status"] == "ok")
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
    """A cluster of servers, by default three."""

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
        """Return the URL of the log of a publication in this cluster."""
        return log_url(self.servers, publication, **parameters)

    def start(self) -> None:
        """Start all servers, and wait until they form a cluster and accept requests."""
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_ready()
        wait_until(self._has_leader, "the cluster's leader", self.servers[0].output)

    def stop(self) -> None:
        """Kill all running servers."""
        for server in self.servers:
            with suppress(subprocess.TimeoutExpired):
                server.kill()

    def named(self, name: str) -> NatsServer:
        """Return the server with this name."""
        return next(server for server in self.servers if server.name == name)

    def leader(self, stream: str) -> NatsServer | None:
        """Return the leader of a stream, as the first reachable server reports it, or `None` if there is no leader."""
        for server in self.servers:
            name = _group(server, stream).get("leader", "")
            if name and self.named(name).is_running:
                return self.named(name)
        return None

    def is_current(self, stream: str) -> bool:
        """Return whether every server has all messages of a stream, as its leader reports."""
        leader = self.leader(stream)
        replicas = [] if leader is None else _group(leader, stream).get("replicas", [])
        return len(replicas) == len(self.servers) - 1 and all(
            replica.get("current", False) and not replica.get("offline", False) for replica in replicas
        )

    def _has_leader(self) -> bool:
        with suppress(OSError, ValueError):
            meta = self.servers[0].monitoring_data("/jsz").get("meta_cluster", {})
            return bool(meta.get("leader")) and meta.get("cluster_size") == len(self.servers)
        return False


def log_url(servers: Sequence[NatsServer], publication: str, **parameters: str) -> str:
    """Return the URL of the log of a publication on `servers`, with their monitoring addresses."""
    addresses = ",".join(server.address for server in servers)
    monitors = ",".join(server.monitor for server in servers)
    pairs = {"monitor": monitors, **parameters}
    rest = "".join(f"&{name}={value}" for name, value in pairs.items() if value)
    return f"nats://{addresses}?publication={publication}{rest}"


def _is_suspended(pid: int) -> bool:
    """Return whether all threads of a process are stopped (proc(5)); also true on systems without `/proc`."""
    states = [
        file.read_text("utf-8").rpartition(")")[2].split()[0]
        for file in Path(f"/proc/{pid}/task").glob("*/stat")
    ]
    return all(state == "T" for state in states)


def _group(server: NatsServer, stream: str) -> dict[str, Any]:
    """Return what a server reports about the replicas of a stream; empty if the server does not respond."""
    with suppress(OSError, ValueError):
        accounts = server.monitoring_data("/jsz?streams=true&accounts=true").get("account_details", [])
        for details in (details for account in accounts for details in account.get("stream_detail", [])):
            if details["name"] == stream:
                group: dict[str, Any] = details.get("cluster", {})
                return group
    return {}


@contextmanager
def running(server: "NatsServer | NatsCluster") -> Iterator[None]:
    """Run a server or a cluster during the `with` block, and always stop it at the end."""
    try:
        server.start()
        yield
    finally:
        server.stop()


@contextmanager
def temporary_server(**settings: Any) -> Iterator[NatsServer]:
    """Run a server in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="nats-") as directory:
        server = NatsServer(Path(directory), **settings)
        with running(server):
            yield server


@contextmanager
def temporary_cluster(**settings: Any) -> Iterator[NatsCluster]:
    """Run a cluster in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="nats-") as directory:
        cluster = NatsCluster(Path(directory), **settings)
        with running(cluster):
            yield cluster


def wait_until(condition: Callable[[], bool], goal: str, output: Path) -> None:
    """Wait until `condition` is true. Raises `RuntimeError` with the server's output after `START_SECONDS`."""
    give_up = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            raise RuntimeError(
                f"gave up waiting for {goal} after {START_SECONDS:.0f} s: {output.read_text('utf-8')}"
            )
        time.sleep(0.02)


def main() -> None:
    """Run one server for experiments, until Enter is pressed."""
    with temporary_server() as server:
        sys.stdout.write(server.url("daily") + "\n")
        sys.stdin.readline()


if __name__ == "__main__":
    main()
