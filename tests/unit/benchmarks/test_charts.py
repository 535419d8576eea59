import re
from xml.etree import ElementTree as ET

import pytest

from benchmarks.charts import Axis, Bar, Line, bars, lines

SVG = "{http://www.w3.org/2000/svg}"


def drawn(chart: str) -> ET.Element:
    return ET.fromstring(chart)  # noqa: S314 - written by the code under test


def texts(chart: str) -> list[str]:
    return [text.text or "" for text in drawn(chart).iter(f"{SVG}text")]


def widths(chart: str) -> list[float]:
    return [float(bar.get("width", "")) for bar in drawn(chart).iter(f"{SVG}rect") if bar.get("height") == "22"]


def points(chart: str) -> list[list[tuple[float, float]]]:
    return [
        [(float(x), float(y)) for x, y in (pair.split(",") for pair in line.get("points", "").split())]
        for line in drawn(chart).iter(f"{SVG}polyline")
    ]


def test_bars_are_as_long_as_their_values() -> None:
    chart = bars(
        "t", "n", [Bar("a", 100, (90, 110), "100/s", is_ours=True), Bar("b", 50, (50, 50), "50/s", is_ours=False)]
    )

    first, second = widths(chart)
    assert first == pytest.approx(2 * second, abs=0.2)


def test_names_and_labels_stand_beside_the_bars() -> None:
    chart = bars("Title", "4 cores", [Bar("a < b", 100, (90, 110), "100/s, 2.0x", is_ours=True)])

    assert texts(chart) == ["Title", "4 cores", "a < b", "100/s, 2.0x"]


def test_no_bar_leaves_the_picture() -> None:
    chart = bars("t", "n", [Bar("a", 100, (90, 400), "100/s", is_ours=True)])
    right = float(drawn(chart).get("viewBox", "").split()[2])

    assert max(float(x) for x in re.findall(r"[MH]([\d.]+)", chart)) < right


def test_equal_steps_of_a_logarithmic_axis_are_powers() -> None:
    line = Line("a", [(10, 1), (100, 1), (1000, 1)], 0)

    ((low, middle, high),) = points(lines("t", "n", Axis("x", is_logarithmic=True), Axis("y"), [line]))

    assert middle[0] - low[0] == pytest.approx(high[0] - middle[0], abs=0.2)


def test_larger_values_are_higher_up_and_further_right() -> None:
    ((low, high),) = points(lines("t", "n", Axis("x"), Axis("y"), [Line("a", [(1, 10), (2, 20)], 0)]))

    assert high[0] > low[0]
    assert high[1] < low[1]


def test_the_legend_names_each_line() -> None:
    chart = lines("t", "n", Axis("x"), Axis("y"), [Line("one", [(0, 0), (1, 1)], 0), Line("two", [(0, 0), (1, 2)], 1)])

    assert {"one", "two", "x", "y"} <= set(texts(chart))


def test_a_reader_who_prefers_dark_gets_dark() -> None:
    assert "prefers-color-scheme: dark" in bars("t", "n", [Bar("a", 1, (1, 1), "1", is_ours=True)])
