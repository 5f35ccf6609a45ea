"""Where settings come from: the command line wins, then the environment, then the file, then the profile.

What is not known and what makes no sense is refused, all of it at once, with the name of the setting, where it stands
and what is allowed.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import inspect

from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.server.log_url import LogUrl, mask
from ledgerpress.server.settings.declaration import PREFIX, Setting, allowed, declared
from ledgerpress.server.settings.sections import Profile, Settings, contradiction, defaults, sections
from ledgerpress.server.settings.server_section import ServerSettings

FILE: Final = Path("ledgerpress.toml")
"""The file that is read if it is there and no other is named."""
FILE_VARIABLE: Final = f"{PREFIX}CONFIG"
PROFILE: Final = "profile"
DATA: Final = "server.data"
LOG: Final = "server.log"
UNSYNCED: Final = "server.allow_unsynced"
LOG_VARIABLE: Final = f"{PREFIX}LOG"
PROFILE_VARIABLE: Final = f"{PREFIX}PROFILE"
_FOR_TESTS: Final = f"{PREFIX}TEST_"
_YES: Final = {"1", "true", "yes", "on"}
_NO: Final = {"0", "false", "no", "off"}


class InvalidSettings(Exception):
    """What is wrong with the settings, a line for each mistake."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings, and where each value that is not the profile's own came from, by the setting's name."""

    profile: Profile
    settings: Settings
    sources: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Given:
    """A value that somebody gave. `text` says that it came as text, whatever it means."""

    value: object
    source: str
    text: bool = False


def load(
    options: Mapping[str, object], environment: Mapping[str, str], file: Path | None = None
) -> LoadedSettings:
    """Return the settings. Raises `InvalidSettings`.

    `options` are those of the command line by the settings' names (`profile`, `server.port`), without those that were
    not used; `file` is the file named there.
    """
    mistakes: list[str] = []
    given: dict[str, _Given] = {}
    given |= _of_file(file, environment, mistakes)
    given |= _of_environment(environment, mistakes)
    given |= {name: _Given(value, "the command line") for name, value in options.items()}
    profile = _profile(given.pop(PROFILE, None), mistakes)
    values: dict[str, dict[str, object]] = {section: {} for section in sections()}
    known = declared()
    for name, one in given.items():
        setting = known[name]
        try:
            values[setting.section][setting.field] = converted(setting, one.value, text=one.text)
        except (ValueError, msgspec.MsgspecError) as error:
            mistakes.append(_wrong(setting, one, error))
    if mistakes:
        raise InvalidSettings(*mistakes)
    return LoadedSettings(
        profile, _composed(values, profile), {name: one.source for name, one in given.items()}
    )


def data_directory(environment: Mapping[str, str]) -> Path:
    """Return the setting `server.data` alone, for commands that need no other. Raises `InvalidSettings`."""
    return Path(str(_alone(environment, DATA).get(DATA, ServerSettings().data)))


def log_url(environment: Mapping[str, str], log: str | None = None) -> str:
    """Return the setting `server.log` alone, for commands that need no other. Raises `InvalidSettings`.

    `log` is what the command line says instead.
    """
    given = _alone(environment, LOG, UNSYNCED)
    try:
        url = LogUrl.parse(str(given.get(LOG, ServerSettings().log)) if log is None else log)
    except LogUnusable as error:
        raise InvalidSettings(str(error)) from error
    return (url.allowing_unsynced() if given.get(UNSYNCED) else url).text


def _alone(environment: Mapping[str, str], *names: str) -> dict[str, object]:
    """Return what is given for a few settings, whatever is wrong with others."""
    mistakes: list[str] = []
    given = _of_file(None, environment, mistakes) | _of_environment(environment, [])
    found: dict[str, object] = {}
    for name in given.keys() & set(names):
        setting, one = declared()[name], given[name]
        try:
            found[name] = converted(setting, one.value, text=one.text)
        except (ValueError, msgspec.MsgspecError) as error:
            mistakes.append(_wrong(setting, one, error))
    if mistakes:
        raise InvalidSettings(*mistakes)
    return found


def _composed(values: Mapping[str, Mapping[str, object]], profile: Profile) -> Settings:
    made: dict[str, Any] = {}
    mistakes = []
    for name, type_ in sections().items():
        try:
            made[name] = msgspec.structs.replace(defaults(type_, profile), **values[name])
        except ValueError as error:
            mistakes.append(f"settings of {name}: {error}")
    if mistakes:
        raise InvalidSettings(*mistakes)
    settings = Settings(**made)
    if wrong := contradiction(settings, profile):
        raise InvalidSettings(wrong)
    return settings


def converted(setting: Setting, value: object, *, text: bool) -> object:
    """Return a value as the setting's type. Raises `ValueError` and `msgspec.MsgspecError`."""
    if text and isinstance(value, str):
        value = _meant(setting.info, value)
    return msgspec.convert(value, setting.type, strict=not text, dec_hook=_path)


def _meant(info: inspect.Type, value: str) -> object:
    """Return what text in the environment means, as far as the type alone tells."""
    match info:
        case inspect.UnionType() if info.includes_none:
            others = [one for one in info.types if not isinstance(one, inspect.NoneType)]
            return _meant(others[0], value) if value else None
        case inspect.BoolType():
            if value.lower() not in _YES | _NO:
                raise ValueError("is neither yes nor no")
            return value.lower() in _YES
        case inspect.ListType() | inspect.SetType() | inspect.FrozenSetType() | inspect.VarTupleType():
            return [entry for part in value.split(",") if (entry := part.strip())]
        case inspect.DictType() | inspect.StructType():
            return msgspec.json.decode(value)
        case _:
            return value


def _path(type_: type, value: object) -> object:
    if type_ is Path and isinstance(value, Path | str):
        return Path(value)
    raise ValueError(f"Expected `{type_.__name__}`")


def _of_environment(environment: Mapping[str, str], mistakes: list[str]) -> dict[str, _Given]:
    variables = {setting.variable: name for name, setting in declared().items()}
    variables |= {PROFILE_VARIABLE: PROFILE}
    given = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable.startswith(_FOR_TESTS) or variable == FILE_VARIABLE:
            continue
        if name := variables.get(variable):
            given[name] = _Given(value, f"{variable} in the environment", text=True)
        else:
            mistakes.append(f"{variable} in the environment is no setting{_instead(variable, variables)}")
    return given


def _of_file(file: Path | None, environment: Mapping[str, str], mistakes: list[str]) -> dict[str, _Given]:
    named = file or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    path = named or FILE
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if named:
            mistakes.append(f"there is no file {path}: it was named as the one with the settings")
        return {}
    except OSError as error:
        mistakes.append(f"{path} cannot be read: {error.strerror}")
        return {}
    except ValueError as error:
        mistakes.append(f"{path} is no TOML: {error}")
        return {}
    return _of_tables(path, content, mistakes)


def _of_tables(path: Path, content: Mapping[str, object], mistakes: list[str]) -> dict[str, _Given]:
    known, tables = declared(), sections()
    given = {}
    for key, value in content.items():
        if key == PROFILE:
            given[PROFILE] = _Given(value, str(path))
        elif key in tables and isinstance(value, dict):
            for field, one in value.items():
                name = f"{key}.{field}"
                if name in known:
                    given[name] = _Given(one, str(path))
                else:
                    fields = [other.field for other in known.values() if other.section == key]
                    mistakes.append(f"{name} in {path} is no setting{_instead(field, fields)}")
        elif key in tables:
            mistakes.append(f"{key} in {path} is a section: write [{key}], and its settings below it")
        else:
            mistakes.append(f"{key} in {path} is no section of settings{_instead(key, [PROFILE, *tables])}")
    return given


def _profile(one: _Given | None, mistakes: list[str]) -> Profile:
    if one is None:
        return Profile.DEVELOPMENT
    try:
        return Profile(str(one.value))
    except ValueError:
        known = allowed(inspect.type_info(Profile))
        mistakes.append(f"profile from {one.source} is {_shown(one.value)}: it is {known}")
        return Profile.DEVELOPMENT


def _wrong(setting: Setting, one: _Given, error: Exception) -> str:
    """Say what is wrong with a value; a secret is not shown, nor what was said of it."""
    if setting.is_secret:
        return f"{setting.name} from {one.source} cannot be used: it is {setting.allowed}"
    return f"{setting.name} from {one.source} is {_shown(one.value)}: it is {setting.allowed} ({error})"


def _shown(value: object) -> str:
    text = mask(repr(value))
    return text if len(text) <= 100 else f"{text[:100]}…"


def _instead(word: str, known: Mapping[str, object] | list[str]) -> str:
    """Return which of the known words may have been meant."""
    if near := difflib.get_close_matches(word, known, n=1):
        return f": is {near[0]} meant?"
    return f": there are {', '.join(sorted(known))}"
