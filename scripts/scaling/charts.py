"""Charts as SVG, a few lines each: legible on a light page and on a dark one, without a framework.

Colours are those of Okabe and Ito, which most people who do not see all colours can tell apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, log10
from typing import Final

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 78, 190, 54, 56
COLOURS: Final = (
    ("#0072b2", "#56b4e9"),
    ("#c84f00", "#f08040"),
    ("#00805c", "#2fc79a"),
    ("#b0508a", "#e08fc0"),
    ("#8f6b00", "#e0b030"),
    ("#57606a", "#9aa4af"),
)
"""Each on a light page, and on a dark one."""
_STYLE: Final = """
svg { font: 13px system-ui, sans-serif; }
.ground { fill: #ffffff; } .ink { fill: #1b1f24; } .soft { fill: #57606a; }
.axis { stroke: #57606a; stroke-width: 1; } .grid { stroke: #d0d7de; stroke-width: 1; }
.line { fill: none; stroke-width: 2.4; stroke-linejoin: round; }
.note { stroke: #57606a; stroke-width: 1.2; stroke-dasharray: 3 4; }
"""
_DARK: Final = """
.ground { fill: #0d1117; } .ink { fill: #e6edf3; } .soft { fill: #9aa4af; }
.axis { stroke: #9aa4af; } .grid { stroke: #2b333c; } .note { stroke: #9aa4af; }
"""


def short(value: float) -> str:
    """Return a number with k, M or G behind it."""
    for size, name in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to places: linear, or by their logarithm. `marks` are the values that are told, if not round ones."""

    low: float
    high: float
    logarithmic: bool = False
    marks: tuple[float, ...] = ()

    def part(self, value: float) -> float:
        """Return how far along the axis a value is, from 0 to 1."""
        if self.logarithmic:
            low, high, value = log10(self.low), log10(self.high), log10(max(value, self.low))
        else:
            low, high = self.low, self.high
        return min(1.0, max(0.0, (value - low) / (high - low)))

    def ticks(self) -> list[float]:
        """Return the values that are told, all within the axis."""
        if self.marks:
            return list(self.marks)
        if self.logarithmic:
            first, last = ceil(log10(self.low) - 1e-9), floor(log10(self.high) + 1e-9)
            step = max(1, ceil((last - first) / 8))
            return [10.0**power for power in range(first, last + 1, step)]
        rough = (self.high - self.low) / 5
        size = 10.0 ** floor(log10(rough))
        step_size = next(size * times for times in (1, 2, 2.5, 5, 10) if size * times >= rough * 0.999)
        first_tick = ceil(self.low / step_size - 1e-9)
        return [number * step_size for number in range(first_tick, floor(self.high / step_size + 1e-9) + 1)]


@dataclass(slots=True)
class Line:
    """Values to be joined by a line, with the name that stands at its end. Without `joined` they are dots.

    Of a line that comes back to where others are, the name can stand at its highest point.
    """

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False
    joined: bool = True
    colour: int | None = None
    named_at_top: bool = False


@dataclass(slots=True)
class Chart:
    """One chart. `levels` are horizontal lines with a name, such as a night; `moments` are vertical ones."""

    title: str
    across: str
    up: str
    x: Scale
    y: Scale
    lines: list[Line]
    levels: list[tuple[float, str]] = field(default_factory=list)
    moments: list[tuple[float, str]] = field(default_factory=list)
    levels_right: bool = False
    """Whether their names stand at the right end of them."""
    moments_before: bool = False
    """Whether their names stand to the left of them, where there is room."""
    tell_x: Callable[[float], str] = short
    tell_y: Callable[[float], str] = short

    def svg(self) -> str:
        """Return the drawing."""
        root = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        parts = [
            f'<svg {root} aria-label="{escape(self.title)}">',
            f"<style>{_style()}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
            _text(LEFT, 26, self.title, "ink", weight="600", size=15),
            _text(LEFT, 44, self.up, "soft"),
            _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, self.across, "soft", anchor="middle"),
            *self._axes(),
            *self._marks(),
        ]
        taken: list[float] = []
        # From the top, so that what leads to the names does not cross.
        for number, line in sorted(enumerate(self.lines), key=lambda one: -one[1].points[-1][1]):
            parts += self._line(line, f"c{(number if line.colour is None else line.colour) % 6}", taken)
        return "\n".join([*parts, "</svg>", ""])

    def _across(self, value: float) -> float:
        return LEFT + self.x.part(value) * (WIDTH - LEFT - RIGHT)

    def _up(self, value: float) -> float:
        return HEIGHT - BOTTOM - self.y.part(value) * (HEIGHT - TOP - BOTTOM)

    def _axes(self) -> list[str]:
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        parts = []
        for tick in self.y.ticks():
            at = self._up(tick)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
            parts.append(_text(LEFT - 8, at + 4, self.tell_y(tick), "soft", anchor="end"))
        for tick in self.x.ticks():
            at = self._across(tick)
            parts.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 5}"/>')
            parts.append(_text(at, bottom + 20, self.tell_x(tick), "soft", anchor="middle"))
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
        return parts

    def _marks(self) -> list[str]:
        parts = []
        for value, name in self.levels:
            at = self._up(value)
            parts.append(f'<line class="note" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
            end, anchor = (WIDTH - RIGHT - 6, "end") if self.levels_right else (LEFT + 6, "start")
            parts.append(_text(end, at - 5, name, "soft", anchor=anchor))
        for number, (value, name) in enumerate(self.moments):
            at = self._across(value)
            parts.append(
                f'<line class="note" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            )
            before = self.moments_before and at > LEFT + 100
            anchor, beside = ("end", -5) if before or at > WIDTH - RIGHT - 100 else ("start", 5)
            row = 0 if self.moments_before else number % 2
            parts.append(_text(at + beside, TOP + 12 + 16 * row, name, "soft", anchor=anchor))
        return parts

    def _line(self, line: Line, colour: str, taken: list[float]) -> list[str]:
        places = [(self._across(x), self._up(y)) for x, y in line.points]
        if line.joined:
            joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            dash = ' stroke-dasharray="7 5"' if line.dashed else ""
            drawn = [f'<polyline class="{colour} line"{dash} points="{joined}"/>']
        else:
            drawn = [f'<circle class="{colour} of" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>' for x, y in places]
        if not line.name:
            return drawn
        if line.named_at_top:
            x, y = min(places, key=lambda place: place[1])
            taken.append(y - 10)  # names stand four below their places
            return [*drawn, _text(x + 4, y - 6, line.name, f"{colour} of")]
        at = _free(places[-1][1], taken)
        lead = (
            f'<line class="{colour}" x1="{places[-1][0] + 3:.1f}" y1="{places[-1][1]:.1f}" x2="{WIDTH - RIGHT + 6}" y2="{at:.1f}"'
            ' stroke-width="1"/>'
        )
        return [*drawn, lead, _text(WIDTH - RIGHT + 9, at + 4, line.name, f"{colour} of")]


def _style() -> str:
    """Return the style sheet: lines (`c0` …) and, with `of`, what is filled, in colours for either page."""

    def coloured(which: int) -> str:
        return "".join(
            f".c{number} {{ stroke: {pair[which]}; }} .c{number}.of {{ fill: {pair[which]}; stroke: none; }}\n"
            for number, pair in enumerate(COLOURS)
        )

    return f"{_STYLE}{coloured(0)}@media (prefers-color-scheme: dark) {{{_DARK}{coloured(1)}}}"


def _free(at: float, taken: list[float]) -> float:
    """Return the place nearest to `at`, and below it if possible, where no other name stands."""
    for distance in range(400):
        for place in (at + distance, at - distance):
            if TOP <= place <= HEIGHT - BOTTOM + 6 and all(abs(place - other) >= 17 for other in taken):
                taken.append(place)
                return place
    return at


def _text(
    x: float, y: float, text: str, kind: str, *, anchor: str = "start", weight: str = "", size: int = 0
) -> str:
    style = (f' font-weight="{weight}"' if weight else "") + (f' font-size="{size}"' if size else "")
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def in_bytes(value: float) -> str:
    """Return bytes with their unit."""
    return f"{short(value)}B" if value >= 1_000 else f"{value:.0f} B"


def in_time(seconds: float) -> str:
    """Return seconds, minutes, hours or days."""
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1_000:.3g} ms"
