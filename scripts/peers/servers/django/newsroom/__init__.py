"""The newsroom as an application of Django."""
