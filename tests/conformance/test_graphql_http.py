"""Run the audits of graphql-http (npm): all pass in development; the exceptions in production are documented."""

import asyncio
import json
import re
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledgerpress.graphql.limits.settings import Limits
from ledgerpress.http.graphql_over_http_settings import HttpSettings
from tests.conformance import node
from tests.conformance.serving import serving

pytestmark = pytest.mark.usefixtures("workers")

AUDITS = 61
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "http.md"


async def run_audits(url: str) -> dict[str, dict[str, Any]]:
    """Run the audits, and return the result of each by its id."""
    packages = await asyncio.to_thread(node.packages)
    process = await asyncio.create_subprocess_exec(
        node.programs() / "node", node.HERE / "audits.mjs", packages, f"{url}/graphql",
        stdout=PIPE, stderr=PIPE, env=node.environment(),
    )  # fmt: skip
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    results = {result["id"]: result for result in map(json.loads, output.splitlines())}
    assert len(results) == AUDITS
    return results


def documented(heading: str) -> set[str]:
    """Return the ids of the audits in the table below a heading of the HTTP reference."""
    section = REFERENCE.read_text("utf-8").split(f"### {heading}\n")[1].split("\n#")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return {audit for row in rows for audit in re.findall(r"`([0-9A-Z]{4})`", row.split("|")[1])}


async def allows_introspection(url: str) -> bool:
    async with httpx2.AsyncClient() as http:
        response = await http.post(f"{url}/graphql", json={"query": "{ __schema { queryType { name } } }"})
    return response.status_code == 200 and "errors" not in response.json()


async def test_all_audits_pass_in_development(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", HttpSettings.development(), Limits.development()) as url:
        results = await run_audits(url)
    assert {result["id"]: result["reason"] for result in results.values() if result["status"] != "ok"} == {}


async def test_the_exceptions_in_production_are_documented(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", HttpSettings(), Limits()) as url:
        results = await run_audits(url)
        expected = documented("By the edition of September 2026") | documented("Against foreign web pages")
        if not await allows_introspection(url):
            expected |= documented("Without introspection")
    failed = {result["id"] for result in results.values() if result["status"] != "ok"}
    assert failed == expected


async def test_an_audit_fails_if_a_rule_is_broken(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", HttpSettings.development(), Limits.development()) as url:
        results = await run_audits(f"{url}/nowhere")
    assert results["4655"]["status"] == "error"
