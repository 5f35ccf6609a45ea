"""Charts as SVG, drawn with Matplotlib: the same data always gives the same bytes.

The colours are those of Okabe and Ito, which most people with a colour vision deficiency can distinguish.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from scripts.scaling.units import short

COLOURS: Final = ("#0072b2", "#c84f00", "#00805c", "#b0508a", "#8f6b00", "#57606a")
INCHES: Final = (10.0, 5.4)
PLOT: Final = (0.085, 0.12, 0.63, 0.74)
"""Left, bottom, width and height of the plot in the figure; the legend is to its right."""
SOFT: Final = "#57606a"
STYLE: Final[dict[str, Any]] = {
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "text.color": "#1b1f24",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "grid.color": "#d0d7de",
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "ledgerpress",  # ids do not vary
}


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic axis. `marks` are the values of its ticks; by default they are round values."""

    low: float
    high: float
    logarithmic: bool = False
    marks: tuple[float, ...] = ()

    @property
    def kind(self) -> str:
        """Matplotlib's name of the scale."""
        return "log" if self.logarithmic else "linear"

    def apply(self, axis: Axis, format_tick: Callable[[float], str]) -> None:
        """Set the ticks of an axis and their labels."""
        if self.marks:
            axis.set_major_locator(FixedLocator(self.marks))
        elif self.logarithmic:
            axis.set_major_locator(LogLocator(numticks=9))
        else:
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _position: format_tick(value)))


@dataclass(slots=True)
class Line:
    """A line through points, with its name in the legend. If not `joined`, only the points are drawn."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False
    joined: bool = True
    colour: int | None = None


@dataclass(slots=True)
class Chart:
    """A chart. `levels` are named horizontal lines, `moments` are named vertical lines."""

    title: str
    x_label: str
    y_label: str
    x: Scale
    y: Scale
    lines: list[Line]
    levels: list[tuple[float, str]] = field(default_factory=list)
    moments: list[tuple[float, str]] = field(default_factory=list)
    levels_right: bool = False
    """Whether the names of levels are at the right end of the lines."""
    moments_left: bool = False
    """Whether the names of moments are to the left of the lines."""
    format_x: Callable[[float], str] = short
    format_y: Callable[[float], str] = short

    def figure(self) -> Figure:
        """Return the chart as a Matplotlib figure."""
        figure = Figure(figsize=INCHES)
        axes = figure.add_axes(PLOT)
        axes.set_title(self.title, loc="left", pad=24, fontweight="bold", fontsize=12)
        axes.text(0, 1.025, self.y_label, transform=axes.transAxes, color=SOFT)
        axes.set_xlabel(self.x_label)
        axes.set_xscale(self.x.kind)
        axes.set_yscale(self.y.kind)
        axes.set_xlim(self.x.low, self.x.high)
        axes.set_ylim(self.y.low, self.y.high)
        self.x.apply(axes.xaxis, self.format_x)
        self.y.apply(axes.yaxis, self.format_y)
        axes.grid(visible=True, axis="y")
        axes.set_axisbelow(True)
        self._draw_marks(axes)
        for number, line in enumerate(self.lines):
            self._draw_line(
                axes, line, COLOURS[(number if line.colour is None else line.colour) % len(COLOURS)]
            )
        self._draw_legend(axes)
        return figure

    def svg(self) -> str:
        """Return the chart as SVG."""
        with rc_context(STYLE):
            file = io.StringIO()
            self.figure().savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())

    def _draw_line(self, axes: Axes, line: Line, colour: str) -> None:
        x, y = zip(*line.points, strict=True)
        if line.joined:
            axes.plot(
                x, y, color=colour, linewidth=2, linestyle="--" if line.dashed else "-", label=line.name
            )
        else:
            axes.plot(x, y, color=colour, linestyle="", marker="o", markersize=6, clip_on=False)

    def _draw_legend(self, axes: Axes) -> None:
        """Draw the legend, ordered by the last values of the lines, the highest first."""
        handles, labels = axes.get_legend_handles_labels()
        ends = [line.points[-1][1] for line in self.lines if line.name]
        order = sorted(range(len(ends)), key=lambda number: -ends[number])
        axes.legend(
            [handles[number] for number in order],
            [labels[number] for number in order],
            loc="upper left",
            bbox_to_anchor=(1.01, 1.02),
            borderaxespad=0,
        )

    def _draw_marks(self, axes: Axes) -> None:
        for value, name in self.levels:
            axes.axhline(value, color=SOFT, linewidth=1, linestyle=":")
            axes.annotate(
                name,
                (1 if self.levels_right else 0, value),
                xycoords=axes.get_yaxis_transform(),
                xytext=(-4 if self.levels_right else 4, 3),
                textcoords="offset points",
                ha="right" if self.levels_right else "left",
                color=SOFT,
            )
        for number, (value, name) in enumerate(self.moments):
            axes.axvline(value, color=SOFT, linewidth=1, linestyle=":")
            row = 0 if self.moments_left else number % 2
            axes.annotate(
                name,
                (value, 1),
                xycoords=axes.get_xaxis_transform(),
                xytext=(-4 if self.moments_left else 4, -12 - 14 * row),
                textcoords="offset points",
                ha="right" if self.moments_left else "left",
                color=SOFT,
            )
