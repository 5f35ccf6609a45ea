"""Format numbers with units for the figures and tables."""


def short(value: float) -> str:
    """Return a number with the suffix k, M, G or T."""
    for size, name in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.3g}"


def in_bytes(value: float) -> str:
    """Return a number of bytes with its unit."""
    return f"{short(value)}B" if value >= 1_000 else f"{value:.0f} B"


def in_time(seconds: float) -> str:
    """Return a duration in milliseconds, seconds, minutes, hours or days."""
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1_000:.3g} ms"
