"""Where the ports meet real engines. Each adapter stands alone."""
