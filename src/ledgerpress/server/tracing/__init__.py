"""OpenTelemetry traces. Importing this package alone does not load OpenTelemetry."""


class TracingUnavailable(Exception):
    """Traces cannot be recorded as the settings require. The message says what to do."""
