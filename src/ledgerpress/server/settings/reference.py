"""The reference page of the settings, docs/reference/settings.md, generated from their declarations."""

from collections.abc import Iterable
from enum import Enum
from typing import Final

from ledgerpress.server.log_url import mask
from ledgerpress.server.settings import FILE, FILE_VARIABLE, PROFILE_VARIABLE
from ledgerpress.server.settings.introspection import Setting, allowed, declared
from ledgerpress.server.settings.sections import Profile, defaults, sections

_HEAD: Final = f"""# Settings

*`ledgerpress settings --reference` generates this page; a test checks that it is up to date.*

A value comes from the first of these sources that contains the setting, or else from the profile.

1. **An option of `ledgerpress serve`**: `--profile`, `--host`, `--port`, `--unix-socket`, `--workers`, `--root-path`, `--data`, `--log`, `--allow-unsynced`, `--open-past`.
2. **The environment**: the variable of the setting (see below). Separate the entries of a list with commas. For `true` and `false`, you can also write `1` and `0`, `yes` and `no`, or `on` and `off`. An empty value means *nothing*, if the setting allows it. Line ends after a value are ignored, as files with CRLF and secrets of Kubernetes have them.
3. **A TOML file**: the file that `--config` or {FILE_VARIABLE} names, or else `{FILE}` in the working directory of the program, if it exists. It is UTF-8, with or without a byte order mark. Each section is a table; the profile comes before the tables:

```toml
profile = "production"

[server]
host = "10.0.0.5"
allowed_hosts = ["news.example.org"]

[metrics]
port = 9100
```

The **profile** is `development` (the default, for one person on one machine; `scripts/serve` uses it) or `production`. Set it with `--profile`, {PROFILE_VARIABLE}, or `profile` in the file. It determines only the defaults of the
settings and where the server may listen: in development, only on loopback addresses.

The program rejects unknown names and invalid values when it starts. It reports all of them together, each with the setting's name, its source and the allowed values. It also rejects unknown variables that begin with `LEDGERPRESS_`, except those that begin with `LEDGERPRESS_TEST_`, which the tests use. (Kubernetes
creates such variables for a service named `ledgerpress`; `enableServiceLinks: false` prevents this.)

`ledgerpress settings` shows every value and its source, with `--json` for programs. Secrets are never printed. The names of durations and sizes end with their unit. Paths are relative to the working directory of the program. Settings are read once, when the program starts. Commands other than `serve` use
only `server.data`, `server.log` and `server.allow_unsynced`; `--data` and `--log` override them.
"""


def reference() -> str:
    """Return the whole page, in Markdown."""
    parts = [_HEAD]
    for name, type_ in sections().items():
        doc = (type_.__doc__ or "").strip().splitlines()
        lines = [f"\n## {name}\n\n{doc[0] if doc else ''}\n"]
        settings = [setting for setting in declared().values() if setting.section == name]
        lines.extend(_rows(settings))
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)


def _rows(settings: Iterable[Setting]) -> Iterable[str]:
    yield "| Setting | Variable | Description | Allowed values | In production | In development |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for setting in settings:
        section = sections()[setting.section]
        production, development = (
            f"`{shown(getattr(defaults(section, profile), setting.field))}`"
            for profile in (Profile.PRODUCTION, Profile.DEVELOPMENT)
        )
        cells = (f"`{setting.field}`", f"`{setting.variable}`", setting.description, allowed(setting.info))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in (*cells, production, development)) + " |"


def shown(value: object) -> str:
    match value:
        case None | "" | () | []:
            return "nothing"
        case Enum():
            return str(value.value)
        case bool():
            return str(value).lower()
        case str():
            return mask(value)
        case tuple() | list() | set() | frozenset():
            return ", ".join(shown(entry) for entry in value)
        case _:
            return str(value)
