"""Settings: their sources and precedence, validation, output and documentation."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ledgerpress.cli import app
from ledgerpress.server.settings.introspection import allowed, declared
from ledgerpress.server.settings.loading import converted
from ledgerpress.server.settings.sections import Profile, defaults, sections

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a directory and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for setting in declared().values():
        monkeypatch.delenv(setting.variable, raising=False)


def run(*arguments: str, environment: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), env=environment)


def shown_settings(*arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    result = run("settings", "--json", *arguments, environment=environment)
    assert result.exit_code == 0, result.stderr
    output: dict[str, Any] = json.loads(result.stdout)
    return output


def error_lines(*arguments: str, environment: Mapping[str, str] | None = None) -> list[str]:
    result = run(*(arguments or ("settings",)), environment=environment)
    assert result.exit_code == 2, result.stdout
    return result.stderr.splitlines()


def test_the_reference_lists_the_declared_settings() -> None:
    result = run("settings", "--reference")
    assert result.exit_code == 0
    assert REFERENCE.read_text("utf-8") == result.stdout, (
        "run: ledgerpress settings --reference > docs/reference/settings.md"
    )


@pytest.mark.parametrize("name", declared())
def test_each_setting_is_described_and_has_its_own_variable(name: str) -> None:
    setting = declared()[name]
    assert setting.description.endswith("."), f"{name} needs a description that is a sentence"
    assert [other.name for other in declared().values() if other.variable == setting.variable] == [name]
    assert f"`{setting.variable}`" in REFERENCE.read_text("utf-8")
    assert "a value of the setting's type" not in allowed(setting.info)


@pytest.mark.parametrize("profile", Profile)
def test_each_default_is_a_valid_value(profile: Profile) -> None:
    for setting in declared().values():
        value = getattr(defaults(sections()[setting.section], profile), setting.field)
        assert converted(setting, value, is_text=False) == value


def test_options_override_the_environment_and_the_environment_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "ledgerpress.toml"
    file.write_text(
        'profile = "production"\n[server]\nport = 1\nstop_seconds = 1\n[cors]\npreflight_seconds = 1\n'
    )
    environment = {"LEDGERPRESS_PORT": "2", "LEDGERPRESS_STOP_SECONDS": "2"}
    output = shown_settings(environment=environment)
    settings = output["settings"]
    assert output["profile"] == "production"
    assert settings["server.port"] == {"value": 2, "source": "LEDGERPRESS_PORT in the environment"}
    assert settings["cors.preflight_seconds"] == {"value": 1, "source": "ledgerpress.toml"}
    assert settings["logs.format"] == {"value": "json", "source": "the profile production"}
    output = shown_settings("--profile", "development", environment=environment)
    assert output["profile"] == "development"
    assert output["settings"]["logs.format"]["value"] == "plain"


def test_an_option_or_the_environment_names_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("[server]\nport = 1\n")
    (tmp_path / "two.toml").write_text("[server]\nport = 2\n")
    environment = {"LEDGERPRESS_CONFIG": "one.toml"}
    assert shown_settings(environment=environment)["settings"]["server.port"]["value"] == 1
    assert (
        shown_settings("--config", "two.toml", environment=environment)["settings"]["server.port"]["value"]
        == 2
    )
    assert error_lines("settings", "--config", "three.toml") == [
        "ledgerpress: the settings file three.toml does not exist"
    ]


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("LEDGERPRESS_OPEN_PAST", "on", "server.open_past", True),
        ("LEDGERPRESS_OPEN_PAST", "0", "server.open_past", False),
        ("LEDGERPRESS_METRICS_PORT", "9100", "metrics.port", 9100),
        ("LEDGERPRESS_METRICS_PORT", "", "metrics.port", None),
        (
            "LEDGERPRESS_ALLOWED_HOSTS",
            "a.example, b.example,",
            "server.allowed_hosts",
            ["a.example", "b.example"],
        ),
        ("LEDGERPRESS_ALLOWED_HOSTS", "", "server.allowed_hosts", []),
        ("LEDGERPRESS_TRACING_SAMPLE_RATIO", "0.25", "tracing.sample_ratio", 0.25),
        ("LEDGERPRESS_DATA", "/srv/news", "server.data", "/srv/news"),
    ],
)
def test_text_in_the_environment_is_converted(variable: str, text: str, name: str, value: object) -> None:
    assert shown_settings(environment={variable: text})["settings"][name]["value"] == value


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_line_end_after_a_value_in_the_environment_is_ignored(tmp_path: Path, end: str) -> None:
    """Files with CRLF give values a carriage return, and secrets of Kubernetes often end with a line feed."""
    (tmp_path / "named.toml").write_text("[cors]\npreflight_seconds = 7\n")
    values = {
        "LEDGERPRESS_CONFIG": "named.toml",
        "LEDGERPRESS_PROFILE": "production",
        "LEDGERPRESS_PORT": "8123",
        "LEDGERPRESS_OPEN_PAST": "true",
        "LEDGERPRESS_DATA": "/srv/news",
        "LEDGERPRESS_LOG": "postgresql://127.0.0.1/news?publication=daily",
        "LEDGERPRESS_OIDC_ISSUER": "https://id.example",
        "LEDGERPRESS_OIDC_AUDIENCE": "news",
        "LEDGERPRESS_METRICS_PORT": "",
    }
    expected = shown_settings(environment=values)
    assert shown_settings(environment={name: value + end for name, value in values.items()}) == expected
    stderr = run("status", environment={"LEDGERPRESS_DATA": f"named{end}"}).stderr
    assert "no LedgerPress store in named" in stderr.splitlines()[0]


def test_all_invalid_settings_are_reported_at_once_with_the_allowed_values(tmp_path: Path) -> None:
    (tmp_path / "ledgerpress.toml").write_text('weather = "fine"\n[server]\nprot = 1\nport = "80"\n')
    lines = error_lines(
        environment={
            "LEDGERPRESS_PROT": "1",
            "LEDGERPRESS_LOGS_FORMAT": "xml",
            "LEDGERPRESS_OPEN_PAST": "perhaps",
            "LEDGERPRESS_STOP_SECONDS": "0",
        }
    )
    assert lines[0].startswith(
        "ledgerpress: weather in ledgerpress.toml is not a section of settings: the known ones are "
    )
    assert lines[1:] == [
        "ledgerpress: server.prot in ledgerpress.toml is not a setting: did you mean port?",
        "ledgerpress: LEDGERPRESS_PROT in the environment is not a setting: did you mean LEDGERPRESS_PORT?",
        (
            "ledgerpress: server.port from ledgerpress.toml is '80': it must be a whole number from 0 to 65,535 "
            "(Expected `int`, got `str`)"
        ),
        (
            "ledgerpress: logs.format from LEDGERPRESS_LOGS_FORMAT in the environment is 'xml': it must be one of `json`, `plain` "
            "(Invalid enum value 'xml')"
        ),
        (
            "ledgerpress: server.open_past from LEDGERPRESS_OPEN_PAST in the environment is 'perhaps': it must be `true` or `false` "
            "(Expected `true` or `false`)"
        ),
        (
            "ledgerpress: server.stop_seconds from LEDGERPRESS_STOP_SECONDS in the environment is '0': it must be a whole number "
            "from 1 to 300 (Expected `int` >= 1)"
        ),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[server\n", "ledgerpress.toml is not valid TOML"),
        ("server = 1\n", "server in ledgerpress.toml is a section: write [server]"),
        (
            'profile = "staging"\n',
            "profile from ledgerpress.toml is 'staging': it must be one of `development`, `production`",
        ),
        (
            '[cors]\norigins = ["https://a.example/"]\n',
            "'https://a.example/' has more than a scheme, a host and a port",
        ),
        ('[server]\nhost = "0.0.0.0"\n', "--profile production"),
        ('profile = "production"\n[server]\nhost = "0.0.0.0"\n', "server.allowed_hosts"),
    ],
)
def test_an_invalid_settings_file_is_rejected(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "ledgerpress.toml").write_text(content)
    for command in (("settings",), ("serve",)):
        (line,) = error_lines(*command)
        assert message in line


def test_a_settings_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Editors and shells of Windows write it."""
    (tmp_path / "ledgerpress.toml").write_bytes(
        b'\xef\xbb\xbf[server]\r\nport = 7\r\ndata = "in-the-file"\r\n'
    )
    assert shown_settings()["settings"]["server.port"]["value"] == 7
    assert "no LedgerPress store in in-the-file" in run("status").stderr


def test_a_settings_file_in_another_encoding_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "ledgerpress.toml").write_bytes("[server]\r\nport = 7\r\n".encode("utf-16"))
    for command in ("settings", "serve", "status"):
        assert error_lines(command) == ["ledgerpress: ledgerpress.toml is not UTF-8 text: save it as UTF-8"]


def test_secrets_are_not_shown_whether_valid_or_invalid(tmp_path: Path) -> None:
    secret = "key=hunter2"
    for arguments in ((), ("--json",)):
        result = run("settings", *arguments, environment={"LEDGERPRESS_TRACING_OTLP_HEADERS": secret})
        assert result.exit_code == 0
        assert "hunter2" not in result.output
        assert "(set, and not shown)" in result.stdout
    (tmp_path / "ledgerpress.toml").write_text(
        '[tracing]\notlp_headers = ["hunter2"]\nendpoint = "http://u:hunter2@127.0.0.1/"\n'
    )
    lines = error_lines()
    assert [line.split(" from ")[0] for line in lines] == [
        "ledgerpress: tracing.otlp_headers",
        "ledgerpress: tracing.endpoint",
    ]
    assert "hunter2" not in "".join(lines)


def test_other_commands_use_the_store_that_the_settings_name(tmp_path: Path) -> None:
    (tmp_path / "ledgerpress.toml").write_text('[server]\ndata = "in-the-file"\n')
    assert "no LedgerPress store in in-the-file" in run("status").stderr
    assert "store in named" in run("status", environment={"LEDGERPRESS_DATA": "named"}).stderr
    assert (
        "store in told" in run("status", "--data", "told", environment={"LEDGERPRESS_DATA": "named"}).stderr
    )


def test_other_commands_accept_sections_of_third_party_features(tmp_path: Path) -> None:
    """These commands load no settings of features, which may not even be installed."""
    (tmp_path / "ledgerpress.toml").write_text('[server]\ndata = "in-the-file"\n[x_factcheck]\nlevel = 3\n')
    for command in (("status",), ("rebuild",), ("log", "backup", "copy"), ("events", "tail")):
        assert "no LedgerPress store in in-the-file" in (stderr := run(*command).stderr), (command, stderr)


def test_a_mistake_in_a_setting_that_a_command_does_not_need_does_not_stop_it(tmp_path: Path) -> None:
    file = tmp_path / "ledgerpress.toml"
    file.write_text('[server]\ndata = "in-the-file"\n[limits]\ntypo = 1\n')
    assert "no LedgerPress store in in-the-file" in run("status").stderr
    assert "limits.typo" in run("settings").stderr
    for wrong in ('[server]\ndta = "x"\n', "[server]\ndata = 1\n", "server = 1\n", "nonsense"):
        file.write_text(wrong)
        result = run("status")
        assert (result.exit_code, "no LedgerPress store" in result.stderr) == (2, False), result.stderr
