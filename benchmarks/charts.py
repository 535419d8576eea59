"""Charts as SVG, written by hand so that they follow the reader's light or dark colours and need no library."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH = 760
_STYLE = """
    text { font: 14px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: #1f2933; }
    .title { font-size: 17px; font-weight: 600; }
    .small { font-size: 12px; fill: #52606d; }
    .end { text-anchor: end; }
    .middle { text-anchor: middle; }
    .page { fill: #ffffff; stroke: #d5dae0; }
    .ours { fill: #2b6cb0; }
    .theirs { fill: #9aa8b7; }
    .grid { stroke: #d5dae0; }
    .whisker { stroke: #1f2933; stroke-width: 1.5; }
    .line { fill: none; stroke-width: 2.5; }
    .s0 { stroke: #2b6cb0; fill: #2b6cb0; }
    .s1 { stroke: #c05621; fill: #c05621; }
    .s2 { stroke: #2f855a; fill: #2f855a; }
    .s3 { stroke: #8a97a6; fill: #8a97a6; }
    .line.s0, .line.s1, .line.s2, .line.s3 { fill: none; }
    .line.s3 { stroke-dasharray: 6 4; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e4e7eb; }
      .small { fill: #a8b3c0; }
      .page { fill: #12181f; stroke: #323f4b; }
      .ours { fill: #63a4e8; }
      .theirs { fill: #5c6b7a; }
      .grid { stroke: #323f4b; }
      .whisker { stroke: #e4e7eb; }
      .s0 { stroke: #63a4e8; fill: #63a4e8; }
      .s1 { stroke: #f6ad55; fill: #f6ad55; }
      .s2 { stroke: #68d391; fill: #68d391; }
      .s3 { stroke: #7b8794; fill: #7b8794; }
    }
"""


@dataclass(frozen=True)
class Bar:
    """One bar: a median, and from where to where the rounds went."""

    name: str
    value: float
    reach: tuple[float, float]
    label: str
    is_ours: bool


@dataclass(frozen=True)
class Line:
    """One line of a chart."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """What one direction of a chart means. A logarithmic one shows powers of ten."""

    name: str
    is_logarithmic: bool = False
    ticks: Sequence[float] = ()
    """Empty: some round numbers from 0."""


def bars(title: str, note: str, chosen: Sequence[Bar]) -> str:
    """Return horizontal bars, each with its label behind it."""
    left, top, step, room = 200, 62, 34, 170
    longest = max(bar.reach[1] for bar in chosen)
    scale = (_WIDTH - left - room) / longest
    parts = []
    for place, bar in enumerate(chosen):
        y, end = top + place * step, left + bar.value * scale
        low, high = (left + value * scale for value in bar.reach)
        kind = "ours" if bar.is_ours else "theirs"

        def tick(x: float, y: int = y) -> str:
            return f"M{x:.1f} {y + 7}v8"

        parts += [
            f'<text class="end" x="{left - 12}" y="{y + 16}">{escape(bar.name)}</text>',
            f'<rect class="{kind}" x="{left}" y="{y}" width="{max(end - left, 1):.1f}" height="22" rx="3"/>',
            f'<path class="whisker" d="M{low:.1f} {y + 11}H{high:.1f}{tick(low)}{tick(high)}"/>',
            f'<text x="{max(end, high) + 10:.1f}" y="{y + 16}">{escape(bar.label)}</text>',
        ]
    return _page(title, note, top + len(chosen) * step + 12, parts)


def lines(title: str, note: str, across: Axis, up: Axis, chosen: Sequence[Line]) -> str:
    """Return lines over two axes, with a legend below."""
    left, top, right, bottom = 90, 62, _WIDTH - 30, 340
    xs = [x for line in chosen for x, _ in line.points]
    ys = [y for line in chosen for _, y in line.points]
    x_ticks, y_ticks = _ticks(across, xs), _ticks(up, ys)
    place_x = _placing(across, x_ticks, xs, left, right)
    place_y = _placing(up, y_ticks, ys, bottom, top)
    parts = []
    for value in y_ticks:
        parts.append(f'<path class="grid" d="M{left} {place_y(value):.1f}H{right}"/>')
        parts.append(f'<text class="small end" x="{left - 8}" y="{place_y(value) + 4:.1f}">{_number(value)}</text>')
    parts += [
        f'<text class="small middle" x="{place_x(value):.1f}" y="{bottom + 18}">{_number(value)}</text>'
        for value in x_ticks
    ]
    parts.append(f'<text class="small middle" x="{(left + right) / 2}" y="{bottom + 38}">{escape(across.name)}</text>')
    parts.append(f'<text class="small" x="{left - 66}" y="{top - 8}">{escape(up.name)}</text>')
    for number, line in enumerate(chosen):
        way = " ".join(f"{place_x(x):.1f},{place_y(y):.1f}" for x, y in line.points)
        parts.append(f'<polyline class="line s{number}" points="{way}"/>')
        if len(line.points) <= _DOTTED:
            parts += [
                f'<circle class="s{number}" cx="{place_x(x):.1f}" cy="{place_y(y):.1f}" r="4"/>' for x, y in line.points
            ]
        at = left + number * (right - left) / max(len(chosen), 1)
        parts.append(f'<path class="line s{number}" d="M{at:.1f} {bottom + 60}h24"/>')
        parts.append(f'<text x="{at + 32:.1f}" y="{bottom + 65}">{escape(line.name)}</text>')
    return _page(title, note, bottom + 86, parts)


_DOTTED = 12
"""Most points of a line that are marked."""


def _placing(axis: Axis, ticks: Sequence[float], values: Sequence[float], start: float, end: float) -> "_Place":
    least, most = min(*ticks, *values), max(*ticks, *values)
    if axis.is_logarithmic:
        least, most = math.log10(least), math.log10(most)

    def place(value: float) -> float:
        inner = math.log10(value) if axis.is_logarithmic else value
        return start + (inner - least) / ((most - least) or 1) * (end - start)

    return place


_Place = Callable[[float], float]


def _ticks(axis: Axis, values: Sequence[float]) -> list[float]:
    if axis.ticks:
        return list(axis.ticks)
    most = max(values)
    if axis.is_logarithmic:
        powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(most)) + 1)
        return [10.0**power for power in powers]
    rough = most / 4 or 1
    step = 10.0 ** math.floor(math.log10(rough))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if factor * step >= rough)
    return [step * count for count in range(math.ceil(most / step) + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"  # noqa: PLR2004


def _page(title: str, note: str, height: int, parts: Sequence[str]) -> str:
    body = "\n  ".join(parts)
    name = escape(title, quote=True)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{name}">
  <style>{_STYLE}  </style>
  <rect class="page" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="8"/>
  <text class="title" x="24" y="32">{escape(title)}</text>
  <text class="small end" x="{_WIDTH - 24}" y="32">{escape(note)}</text>
  {body}
</svg>
"""
