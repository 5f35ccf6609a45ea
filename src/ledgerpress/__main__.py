"""Run the `ledgerpress` command with `python -m ledgerpress`."""

from ledgerpress.cli import main

if __name__ == "__main__":
    main()
