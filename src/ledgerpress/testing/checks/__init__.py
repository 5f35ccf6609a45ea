"""The checks of the contract suite. Each is a function of a contract's definition, a directory and the URL of a log."""
