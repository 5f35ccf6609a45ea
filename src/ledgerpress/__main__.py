"""The entry point of the program `ledgerpress` and of `python -m ledgerpress`."""

import signal
import sys


def main() -> None:
    """Run the command line. Ctrl+C ends the program without a traceback, even while modules are imported.

    Before and after the command nothing is open, so the signal ends the process directly. A signal that is ignored,
    as under `nohup`, stays ignored.
    """
    handler = signal.getsignal(signal.SIGINT)
    outside = signal.SIG_DFL if handler is signal.default_int_handler else handler
    signal.signal(signal.SIGINT, outside)
    from ledgerpress import cli  # noqa: PLC0415 - takes most of the time until a command starts

    try:
        signal.signal(signal.SIGINT, handler)
        cli.main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, outside)


if __name__ == "__main__":
    main()
