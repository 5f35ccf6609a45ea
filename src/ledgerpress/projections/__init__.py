"""From events to rows: one projector for each read model, and the runner that keeps them up with the log."""
