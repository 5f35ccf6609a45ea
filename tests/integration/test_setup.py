"""`scripts/setup`, run on a small project that needs no package registry."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent.parent

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """
import zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "ledgerpress-0-py3-none-any.whl"
    info = "ledgerpress-0.dist-info"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.writestr("ledgerpress.pth", __file__.removesuffix("backend.py") + "src")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: ledgerpress\\nVersion: 0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "a checkout"
    for name, content in {
        "pyproject.toml": PYPROJECT,
        "backend.py": BACKEND,
        "requirements/runtime.txt": "# nothing\n",
        "requirements/dev.txt": "# nothing more\n",
        "src/ledgerpress/__init__.py": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, "utf-8")
    (root / "scripts/development").mkdir(parents=True)
    for name in ("setup", "development/environment.py"):
        shutil.copy(CHECKOUT / "scripts" / name, root / "scripts" / name)
    return root


def environment(path: str | None = None) -> dict[str, str]:
    python = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{python}:/usr/bin:/bin" if path is None else path}


def setup(root: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(root / "scripts" / "setup"), *arguments]
    return subprocess.run(
        command, env=environment(path), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def works(root: Path) -> bool:
    python = root / ".venv" / "bin" / "python"
    code = "import ledgerpress; print(ledgerpress.__file__)"
    module_file = subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    return Path(module_file) == root / "src" / "ledgerpress" / "__init__.py"


def kind(root: Path) -> object:
    return json.loads((root / ".venv" / "ledgerpress-setup.json").read_text("utf-8"))["kind"]


def test_is_quiet_once_up_to_date_and_keeps_a_development_environment(project: Path, tmp_path: Path) -> None:
    first = setup(project)
    assert (first.returncode, first.stdout, first.stderr.count("\n")) == (0, "", 1), first.stderr
    assert works(project)
    assert setup(project).stderr == ""

    assert "bringing .venv up to date (dev" in setup(project, "--dev").stderr
    assert setup(project).stderr == ""
    assert kind(project) == "dev"

    link = tmp_path / "link"
    link.symlink_to(project / "scripts" / "setup")
    through_link = subprocess.run([link], env=environment(), cwd="/", capture_output=True, check=False)
    assert (through_link.returncode, through_link.stderr) == (0, b"")

    (project / "requirements" / "dev.txt").write_text("# other pins\n", "utf-8")
    assert "creating .venv" in setup(project).stderr
    assert kind(project) == "dev"


def test_a_moved_checkout_gets_a_new_environment(project: Path, tmp_path: Path) -> None:
    assert setup(project).returncode == 0
    moved = project.rename(tmp_path / "elsewhere")
    assert "creating .venv" in setup(moved).stderr
    assert works(moved)


def test_the_next_call_repairs_a_killed_setup(project: Path) -> None:
    command = [project / "scripts" / "setup"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL, start_new_session=True)
    while not (project / ".venv" / "bin" / "python").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert "creating .venv" in setup(project).stderr
    assert works(project)


def test_two_setups_at_once_do_the_work_once(project: Path) -> None:
    command = [project / "scripts" / "setup"]
    calls = [
        subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    messages = "".join(call.communicate()[1] for call in calls)
    assert [call.returncode for call in calls] == [0, 0, 0]
    assert messages.count("creating .venv") == 1
    assert works(project)


def bare_path(folder: Path, **programs: str) -> str:
    """Return a PATH with the few tools that the script needs, and with `programs`."""
    folder.mkdir()
    for tool in ("dirname", "readlink"):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        (folder / name).chmod(0o755)
    return str(folder)


def test_reports_what_to_install_if_python_is_missing(project: Path, tmp_path: Path) -> None:
    outcome = setup(project, path=bare_path(tmp_path / "bin", python3="exit 1  # too old"))
    assert outcome.returncode == 1
    assert "Python 3.11 or newer was not found" in outcome.stderr


def test_reports_what_to_install_if_python_lacks_venv(project: Path, tmp_path: Path) -> None:
    no_ensurepip = f'case "$*" in *ensurepip*) exit 1 ;; esac; exec "{sys.executable}" "$@"'
    outcome = setup(project, path=bare_path(tmp_path / "bin", python3=no_ensurepip))
    assert outcome.returncode == 1
    assert "lacks the modules venv and ensurepip" in outcome.stderr


def test_rejects_an_unknown_option(project: Path) -> None:
    assert setup(project, "--developer").returncode == 2
