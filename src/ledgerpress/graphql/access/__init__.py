"""Field permissions, visibility, and the access reference page."""
