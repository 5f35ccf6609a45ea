"""The configuration of the NATS servers in compose.nats.yaml, with real servers on this machine."""

import json
import os
import re
import subprocess
import urllib.request
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from ledgerpress.retry import poll_blocking
from scripts.engines.nats import free_ports, program

ROOT = Path(__file__).parents[2]
SERVERS = (1, 2, 3)


@pytest.mark.parametrize("password", ["correct-horse_7", "1234567890", "true"])
def test_the_nats_servers_form_a_cluster(tmp_path: Path, password: str) -> None:
    ports = free_ports(9)
    addresses = {
        (number, port): f"127.0.0.1:{free}"
        for (number, port), free in zip(
            ((number, port) for number in SERVERS for port in (4222, 6222, 8222)), ports, strict=True
        )
    }
    compose = (ROOT / "compose.nats.yaml").read_text("utf-8")
    variables = dict(re.findall(r"^  (NATS_PASSWORD|ROUTE_\d): '(.+)'$", compose, re.MULTILINE))

    def local(text: str) -> str:
        text = re.sub(r"nats-(\d):6222", lambda match: addresses[int(match[1]), 6222], text)
        return re.sub(r"\$\{NATS_PASSWORD(:\?[^}]*)?\}", password, text)

    with ExitStack() as stack:
        for number in SERVERS:
            configuration = local((ROOT / "containers/nats.conf").read_text("utf-8"))
            for port in (4222, 6222, 8222):
                configuration = configuration.replace(f"0.0.0.0:{port}", addresses[number, port])
            configuration = configuration.replace("/data", str(tmp_path / str(number)))
            (file := tmp_path / f"{number}.conf").write_text(configuration)
            environment = {
                **os.environ,
                **{name: local(value) for name, value in variables.items()},
                "SERVER_NAME": f"nats-{number}",
            }
            output = stack.enter_context((tmp_path / f"{number}.txt").open("wb"))
            server = subprocess.Popen(
                [program(), "-c", str(file)], env=environment, stdout=output, stderr=output
            )
            stack.callback(server.wait)
            stack.callback(server.kill)

        def others_of(number: int) -> set[str] | None:
            try:
                with urllib.request.urlopen(
                    f"http://{addresses[number, 8222]}/routez", timeout=5
                ) as response:
                    routes = json.load(response)["routes"] or []
            except OSError:
                return None
            names = {route["remote_name"] for route in routes}
            return names if len(names) == 2 else None

        for number in SERVERS:
            others = poll_blocking(partial(others_of, number), interval=0.1, timeout=30)
            assert others == {f"nats-{other}" for other in SERVERS if other != number}, (
                tmp_path / f"{number}.txt"
            ).read_text()
