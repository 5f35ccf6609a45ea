"""Generate the JSON Schema (2020-12) of each event's data from the event's declaration, and check the schema files."""

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from ledgerpress.eventlog.event_and_withdrawn_event import Event
from ledgerpress.feature import FeatureSet
from ledgerpress.features.registry import FEATURES

SUFFIX: Final = ".schema.json"


def schemas(features: FeatureSet = FEATURES) -> dict[str, str]:
    """Return the text of each schema by file name."""
    return {
        f"{name}.v{version}{SUFFIX}": _text(name, version, type_)
        for name, version, type_, _ in features.events
    }


def write(directory: Path, features: FeatureSet = FEATURES) -> None:
    """Write the schema of each event's newest version. Leave the schemas of older versions unchanged."""
    directory.mkdir(exist_ok=True)
    for name, text in schemas(features).items():
        (directory / name).write_text(text, encoding="utf-8")


def check(directory: Path, features: FeatureSet = FEATURES) -> list[str]:
    """Return each difference between the files in `directory` and the declarations, as a sentence."""
    differences = []
    for name, text in schemas(features).items():
        path = directory / name
        if not path.exists():
            differences.append(f"{path} is missing")
        elif path.read_text(encoding="utf-8") != text:
            differences.append(f"{path} differs from the event in the code")
    newest = {name: version for name, version, *_ in features.events}
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        event, _, version = path.name.removesuffix(SUFFIX).rpartition(".v")
        if not version.isdigit() or not 1 <= int(version) <= newest.get(event, 0):
            differences.append(f"{path} does not belong to any event")
    return differences


def _text(name: str, version: int, type_: type[Event]) -> str:
    (reference,), components = msgspec.json.schema_components([type_], ref_template="#/$defs/{name}")
    own = reference["$ref"].rpartition("/")[2]
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:ledgerpress:event:{name}:v{version}",
        **components.pop(own),
        "title": f"{name} version {version}",
    }
    if components:
        schema["$defs"] = components
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
