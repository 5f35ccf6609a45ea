"""Load settings from the command line, the environment, the file and the profile's defaults, in order of precedence.

Unknown names and invalid values are reported together, each with its setting, source and allowed values.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import inspect

from ledgerpress.grapheme_clusters import shortened
from ledgerpress.server.log_url import mask
from ledgerpress.server.settings import (
    FILE,
    FILE_VARIABLE,
    PREFIX,
    PROFILE_VARIABLE,
    InvalidSettings,
    file_content,
    in_environment,
)
from ledgerpress.server.settings.introspection import Setting, allowed, declared, mistakes_in_entries
from ledgerpress.server.settings.sections import (
    Profile,
    Sections,
    Settings,
    contradiction,
    defaults,
    sections,
)
from ledgerpress.system_errors import reason_of

PROFILE: Final = "profile"
DATA: Final = "server.data"
LOG: Final = "server.log"
UNSYNCED: Final = "server.allow_unsynced"
CLOCK_JUMP: Final = "server.max_clock_jump_seconds"
CLOCK_AHEAD: Final = "server.max_clock_ahead_days"
_TEST_PREFIX: Final = f"{PREFIX}TEST_"
_YES: Final = {"1", "true", "yes", "on"}
_NO: Final = {"0", "false", "no", "off"}


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings. `sources` has the source of each value that is not a default of the profile, by setting."""

    profile: Profile
    settings: Settings
    sources: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Value:
    """A value from one source. `is_text` is true if the source has only text, as the environment has."""

    value: object
    source: str
    is_text: bool = False


def load(
    options: Mapping[str, object],
    environment: Mapping[str, str],
    file: Path | None = None,
    features: Sections | None = None,
    *,
    source_of_options: str = "the command line",
) -> LoadedSettings:
    """Return the settings. Raises `InvalidSettings`.

    `options` are the options that were used on the command line, by setting (`profile`, `server.port`); `file` is the
    settings file that it names. `features` are the sections of features. Messages name `source_of_options` as the
    source of options.
    """
    mistakes: list[str] = []
    values = _of_file(file, environment, mistakes, features)
    values |= _of_environment(environment, mistakes, features)
    values |= {name: _Value(value, source_of_options) for name, value in options.items()}
    profile = _profile(values.pop(PROFILE, None), mistakes)
    converted_values = _convert_all(values, mistakes, features)
    sources = {name: value.source for name, value in values.items()}
    return LoadedSettings(profile, _compose(converted_values, profile, features), sources)


def store_settings(environment: Mapping[str, str]) -> dict[str, object]:
    """Return the settings of the section `server` that every command needs, if they are set. Raises `InvalidSettings`."""
    values = _only(environment, DATA, LOG, UNSYNCED, CLOCK_JUMP, CLOCK_AHEAD)
    return {name.partition(".")[2]: value for name, value in values.items()}


def _only(environment: Mapping[str, str], *names: str) -> dict[str, object]:
    """Return the values of some settings. Other mistakes in the file are reported; other variables are ignored."""
    mistakes: list[str] = []
    values = _of_file(None, environment, mistakes) | _of_environment(environment, [])
    return _convert_all({name: value for name, value in values.items() if name in names}, mistakes)


def _convert_all(
    values: Mapping[str, _Value], mistakes: list[str], features: Sections | None = None
) -> dict[str, object]:
    """Convert each value to the type of its setting. Raises `InvalidSettings` with `mistakes` and new ones."""
    known, converted_values = declared(features), dict[str, object]()
    for name, value in values.items():
        try:
            converted_values[name] = converted(known[name], value.value, is_text=value.is_text)
        except (ValueError, msgspec.MsgspecError) as error:
            mistakes.append(_mistake(known[name], value, error))
    if mistakes:
        raise InvalidSettings(*mistakes)
    return converted_values


def _compose(values: Mapping[str, object], profile: Profile, features: Sections | None) -> Settings:
    composed: dict[str, Any] = {}
    mistakes = []
    for section, type_ in sections(features).items():
        prefix = f"{section}."
        own = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
        try:
            composed[section] = msgspec.structs.replace(defaults(type_, profile), **own)
        except ValueError as error:
            mistakes.append(f"settings of {section}: {error}")
    if mistakes:
        raise InvalidSettings(*mistakes)
    of_features = {section: composed.pop(section) for section in features or ()}
    settings = Settings(**composed, features=of_features)
    if problem := contradiction(settings, profile):
        raise InvalidSettings(problem)
    return settings


def converted(setting: Setting, value: object, *, is_text: bool) -> object:
    """Convert a value to the type of the setting. Raises `ValueError` and `msgspec.MsgspecError`."""
    if is_text and isinstance(value, str):
        value = _parse(setting.info, value)
    result = msgspec.convert(value, setting.type, strict=not is_text, dec_hook=_path)
    if mistakes := mistakes_in_entries(setting.info, result):
        raise ValueError("; ".join(mistakes))
    return result


def _parse(info: inspect.Type, value: str) -> object:
    """Parse a text of the environment as far as its type determines the value."""
    match info:
        case inspect.UnionType() if info.includes_none:
            others = [type_ for type_ in info.types if not isinstance(type_, inspect.NoneType)]
            return _parse(others[0], value) if value else None
        case inspect.BoolType():
            if value.lower() not in _YES | _NO:
                raise ValueError("Expected `true` or `false`")
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


def _of_environment(
    environment: Mapping[str, str], mistakes: list[str], features: Sections | None = None
) -> dict[str, _Value]:
    variables = {setting.variable: name for name, setting in declared(features).items()}
    variables |= {PROFILE_VARIABLE: PROFILE}
    values = {}
    for variable in environment:
        if not variable.startswith(PREFIX) or variable.startswith(_TEST_PREFIX) or variable == FILE_VARIABLE:
            continue
        if name := variables.get(variable):
            text = in_environment(environment, variable)
            values[name] = _Value(text, f"{variable} in the environment", is_text=True)
        else:
            mistakes.append(
                f"{variable} in the environment is not a setting{_suggestion(variable, variables)}"
            )
    return values


def _of_file(
    file: Path | None,
    environment: Mapping[str, str],
    mistakes: list[str],
    features: Sections | None = None,
) -> dict[str, _Value]:
    variable = in_environment(environment, FILE_VARIABLE)
    named = file or (Path(variable) if variable else None)
    path = named or FILE
    try:
        content = file_content(path)
    except FileNotFoundError:
        if named:
            mistakes.append(f"the settings file {path} does not exist")
        return {}
    except OSError as error:
        mistakes.append(f"{path} cannot be read: {reason_of(error)}")
        return {}
    except ValueError as error:
        mistakes.append(str(error))
        return {}
    return _of_tables(path, content, mistakes, features)


def _of_tables(
    path: Path, content: Mapping[str, object], mistakes: list[str], features: Sections | None
) -> dict[str, _Value]:
    known, tables = declared(features), sections(features)
    values = {}
    for key, value in content.items():
        if key == PROFILE:
            values[PROFILE] = _Value(value, str(path))
        elif key in tables and isinstance(value, dict):
            for field, entry in value.items():
                name = f"{key}.{field}"
                if name in known:
                    values[name] = _Value(entry, str(path))
                else:
                    fields = [setting.field for setting in known.values() if setting.section == key]
                    mistakes.append(f"{name} in {path} is not a setting{_suggestion(field, fields)}")
        elif key in tables:
            mistakes.append(f"{key} in {path} is a section: write [{key}] and its settings below it")
        else:
            mistakes.append(
                f"{key} in {path} is not a section of settings{_suggestion(key, [PROFILE, *tables])}"
            )
    return values


def _profile(value: _Value | None, mistakes: list[str]) -> Profile:
    if value is None:
        return Profile.DEVELOPMENT
    try:
        return Profile(str(value.value))
    except ValueError:
        known = allowed(inspect.type_info(Profile))
        mistakes.append(f"profile from {value.source} is {_shown(value.value)}: it must be {known}")
        return Profile.DEVELOPMENT


def _mistake(setting: Setting, value: _Value, error: Exception) -> str:
    """Return a message about an invalid value, without the value and the error if the setting is secret."""
    if setting.is_secret:
        return f"{setting.name} from {value.source} is invalid: it must be {allowed(setting.info)}"
    return f"{setting.name} from {value.source} is {_shown(value.value)}: it must be {allowed(setting.info)} ({error})"


def _shown(value: object) -> str:
    return shortened(mask(repr(value)), 100)


def _suggestion(word: str, known: Mapping[str, object] | list[str]) -> str:
    """Return the most similar known word as a question, or else a list of all known words."""
    if similar := difflib.get_close_matches(word, known, n=1):
        return f": did you mean {similar[0]}?"
    return f": the known ones are {', '.join(sorted(known))}"
