"""`python -m ledgerpress` is the command `ledgerpress`."""

from ledgerpress.cli import main

if __name__ == "__main__":
    main()
