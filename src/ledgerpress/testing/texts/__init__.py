"""Find the texts of a feature's pages, and compare them with its translations: `python -m ledgerpress.testing.texts`."""
