"""The reference page of the settings, docs/reference/settings.md, generated from their declarations."""

from collections.abc import Iterable
from enum import Enum
from typing import Final

from ledgerpress.server.log_url import mask
from ledgerpress.server.settings import FILE, FILE_VARIABLE, PROFILE_VARIABLE
from ledgerpress.server.settings.introspection import Setting, allowed, declared
from ledgerpress.server.settings.sections import Profile, defaults, sections

_HEAD: Final = f"""# Settings

*This page is written by `ledgerpress settings --reference`; a test compares the two.*

A setting can be given in three ways. The first of them that gives it wins; where none does, the profile decides.

1. **An option of `ledgerpress serve`**: `--profile`, `--host`, `--port`, `--data`, `--log`, `--allow-unsynced`, `--open-past`.
2. **The environment**: a variable for each setting, below. In a list, commas part the entries; yes and no are `true` and `false`, `1` and `0`, `yes` and `no`, or `on` and `off`; an empty value is *nothing*, where a setting may be that.
3. **A file in TOML**: the one that `--config` names, or {FILE_VARIABLE}, or else `{FILE}` in the directory in which the program is started, if it is there. A section is a table, and the profile stands above them:

```toml
profile = "production"

[server]
host = "10.0.0.5"
allowed_hosts = ["news.example.org"]

[metrics]
port = 9100
```

The **profile** is `development` (the default: one person on one machine; `scripts/serve` starts this one) or `production`. It is set by `--profile`, {PROFILE_VARIABLE}, or `profile` in the file, and decides no more than
the defaults of the settings, and where the server may listen: in development on this machine's own addresses only.

A name that is not known, and a value that makes no sense, are refused at the start, all of them at once: with the setting's name, where it was set, and what is allowed. So is a variable that begins with `LEDGERPRESS_` and is none of these (Kubernetes makes some for a service of the
name `ledgerpress`: `enableServiceLinks: false` switches that off); those that begin with `LEDGERPRESS_TEST_` are the tests' own. `ledgerpress settings` shows every value and where it comes from, and `--json` prints that for programs. Secrets are never printed. Durations and sizes are in the
unit that their names end with. Paths are relative to the directory in which the program is started. Settings are read once, at the start. The commands other than `serve` go by `server.data`, `server.log` and `server.allow_unsynced` alone, unless `--data` and `--log` say where the store is.
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
    yield "| Setting | Variable | What it is | It may be | In production | In development |"
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
            return ", ".join(shown(one) for one in value)
        case _:
            return str(value)
