"""Settings: declaration, loading, reference page."""
