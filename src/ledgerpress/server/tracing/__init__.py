"""OpenTelemetry traces: settings and spans."""
