"""Create the virtual environment of the checkout, and keep it at exactly the pinned versions.

`scripts/setup` runs this before anything is installed, so it uses the standard library only. A stamp, written last,
records the inputs of the environment. An environment without a stamp is unfinished and is created again. The operating
system holds the lock for this process and for each installer that it starts, and releases it when they end, even if
they are killed.
"""

import fcntl
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "ledgerpress-setup.json"
LOCK = ROOT / ".venv.lock"
PIP = [str(PYTHON), "-I", "-m", "pip", "-qq", "--no-input", "--disable-pip-version-check"]

Stamp = dict[str, str]


class SetupError(Exception):
    """A step failed; its output has been printed."""


def main(arguments: list[str]) -> int:
    if unknown := set(arguments) - {"--dev", "--is-current"}:
        say(f"unknown option {' '.join(sorted(unknown))}; the only option is --dev")
        return 2
    kind = "dev" if "--dev" in arguments else "runtime"
    if "--is-current" in arguments:
        return 0 if stamped() == goal(kind, sys.version) else 1
    with locked() as lock:
        python = python_inside()
        if python is not None and stamped() == goal(kind, python):
            return 0  # another setup finished first
        try:
            make(goal(kind, python), lock)
        except SetupError as error:
            say(f"{error}; run it again: the next run starts from the beginning")
            return 1
    return 0


def goal(kind: str, python: str | None) -> Stamp:
    """Return the stamp of an up-to-date environment.

    A development environment can also serve, so it stays one.
    """
    kind = "dev" if stamped().get("kind") == "dev" else kind
    return {
        "kind": kind,
        "lock": digest(f"requirements/{kind}.txt"),
        "package": digest("pyproject.toml", "src/ledgerpress/__init__.py"),
        "checkout": str(ROOT),  # a moved or copied environment does not work
        "python": python or "",
    }


def stamped() -> Stamp:
    """Return the stamp of the environment; it is empty if the environment is unfinished."""
    try:
        stamp = json.loads(STAMP.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def make(wanted: Stamp, lock: IO[str]) -> None:
    before = stamped()
    STAMP.unlink(missing_ok=True)
    if not can_be_kept(before, wanted):
        version = ".".join(map(str, sys.version_info[:3]))
        say(f"creating .venv with Python {version} ({wanted['kind']} dependencies)")
        # In an active virtual environment, this is the Python that created it.
        base_python: str = getattr(sys, "_base_executable", sys.executable)
        run([base_python, "-I", "-m", "venv", "--clear", str(VENV)], lock)
        before = {}
    else:
        say(f"bringing .venv up to date ({wanted['kind']} dependencies)")
    if before.get("lock") != wanted["lock"]:
        requirements = ROOT / "requirements" / f"{wanted['kind']}.txt"
        run([*PIP, "install", "--require-hashes", "--requirement", str(requirements)], lock)
    run([*PIP, "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], lock)
    save({**wanted, "python": python_inside() or ""})


def can_be_kept(before: Stamp, wanted: Stamp) -> bool:
    """Return whether an installation into the environment gives the wanted environment, without leftovers."""
    return (
        wanted["python"] != ""
        and all(before.get(key) == wanted[key] for key in ("checkout", "python"))
        and before.get("lock") == digest(f"requirements/{before.get('kind')}.txt")
    )


def digest(*names: str) -> str:
    content = hashlib.sha256()
    for name in names:
        content.update((ROOT / name).read_bytes() + b"\0")
    return content.hexdigest()


def python_inside() -> str | None:
    """Return the version of the environment's own Python, or `None` if it does not start."""
    command = [str(PYTHON), "-I", "-S", "-c", "import sys; sys.stdout.write(sys.version)"]
    try:
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def run(command: list[str], lock: IO[str]) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, pass_fds=(lock.fileno(),), check=False
    )
    if done.returncode != 0:
        raise SetupError(f"{' '.join(command)} failed with exit code {done.returncode}")


def save(stamp: Stamp) -> None:
    unfinished = STAMP.with_suffix(".new")
    unfinished.write_text(json.dumps(stamp, indent=2) + "\n", "utf-8")
    unfinished.replace(STAMP)


def locked() -> IO[str]:
    lock = LOCK.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another setup of this checkout")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def say(message: str) -> None:
    print(f"scripts/setup: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
