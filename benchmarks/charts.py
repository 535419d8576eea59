"""Charts as SVG, written by hand so that they follow the reader's light or dark colours and need no library."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH = 760
_LETTER = 8
"""About how wide a letter is."""
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
    colour: int
    """0 to 2; 3 is the dashed grey of what there is only to compare."""


@dataclass(frozen=True)
class Axis:
    """What one direction of a chart means. A logarithmic one shows powers of ten."""

    name: str
    is_logarithmic: bool = False
    ticks: Sequence[float] = ()
    """Empty: some round numbers from 0."""


def bars(title: str, note: str, chosen: Sequence[Bar]) -> str:
    """Return horizontal bars, each with its label behind it."""
    left = 36 + _LETTER * max(len(bar.name) for bar in chosen)
    top, step, room = 74, 34, 24 + _LETTER * max(len(bar.label) for bar in chosen)
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
    xs = [x for line in chosen for x, _ in line.points]
    ys = [y for line in chosen for _, y in line.points]
    x_ticks, y_ticks = _ticks(across, xs), _ticks(up, ys)
    place_x = _placing(across, x_ticks, xs, _LEFT, _RIGHT)
    place_y = _placing(up, y_ticks, ys, _BOTTOM, _TOP)
    parts = [f'<path class="grid" d="M{_LEFT} {place_y(value):.1f}H{_RIGHT}"/>' for value in y_ticks]
    parts += [_small(_LEFT - 8, place_y(value) + 4, _number(value), "end") for value in y_ticks]
    parts += [_small(place_x(value), _BOTTOM + 18, _number(value), "middle") for value in x_ticks]
    parts.append(_small((_LEFT + _RIGHT) / 2, _BOTTOM + 38, across.name, "middle"))
    parts.append(_small(_LEFT - 8, _TOP - 14, up.name, "end"))
    for number, line in enumerate(chosen):
        placed = [(place_x(x), place_y(y)) for x, y in line.points]
        parts += [_drawn(line, placed), _legend(line, _LEFT + number * (_RIGHT - _LEFT) / len(chosen))]
    return _page(title, note, _BOTTOM + 86, parts)


_LEFT, _TOP, _RIGHT, _BOTTOM = 90, 94, _WIDTH - 30, 372
"""Where the lines are drawn."""
_DOTTED = 12
"""Most points of a line that are marked."""


def _small(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="small {anchor}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _drawn(line: Line, placed: Sequence[tuple[float, float]]) -> str:
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    dots = placed if len(placed) <= _DOTTED else ()
    marks = "".join(f'<circle class="s{line.colour}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in dots)
    return f'<polyline class="line s{line.colour}" points="{way}"/>{marks}'


def _legend(line: Line, x: float) -> str:
    y = _BOTTOM + 60
    sample = f'<path class="line s{line.colour}" d="M{x:.1f} {y}h24"/>'
    return f'{sample}<text x="{x + 32:.1f}" y="{y + 5}">{escape(line.name)}</text>'


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
  <text class="small" x="24" y="52">{escape(note)}</text>
  {body}
</svg>
"""
