"""A small plot in SVG: quantities against a size on a logarithmic axis, each with the line that was fitted to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 420
_HEIGHT: Final = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 24, 44, 52
_STYLE: Final = (
    "text { font: 13px ui-sans-serif, 'DejaVu Sans', Helvetica, Arial, sans-serif; fill: #333 } "
    ".title { font-weight: bold } .grid { stroke: #ddd } .axis { stroke: #333 } "
    ".fit { stroke: #b35900; stroke-dasharray: 6 4; stroke-width: 1.5 } .point { fill: #1f5fa8 } .law { fill: #b35900 }"
)


@dataclass(frozen=True, slots=True)
class Fit:
    """A straight line over the binary logarithm of a size.

    Attributes:
        start: Value at a size of 1.
        slope: What every doubling adds.
    """

    start: float
    slope: float

    @classmethod
    def of(cls, sizes: Sequence[int], values: Sequence[float]) -> Fit:
        """Return the line of least squares; at least two sizes are needed."""
        logs = [math.log2(size) for size in sizes]
        middle, mean = sum(logs) / len(logs), sum(values) / len(values)
        slope = sum((at - middle) * (value - mean) for at, value in zip(logs, values, strict=True)) / sum(
            (at - middle) ** 2 for at in logs
        )
        return cls(mean - slope * middle, slope)

    def at(self, size: int) -> float:
        """Return the value of the line."""
        return self.start + self.slope * math.log2(size)


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity at several sizes.

    Attributes:
        title: What it is.
        unit: Of the values.
        sizes: Ascending.
        values: One for each size.
    """

    title: str
    unit: str
    sizes: Sequence[int]
    values: Sequence[float]


def draw(panels: Sequence[Panel], size_axis: str) -> str:
    """Return panels side by side; on the logarithmic axis, logarithmic growth is a straight line."""
    drawn = "\n".join(
        f'<g transform="translate({number * _WIDTH} 0)">\n{_panel(panel, size_axis)}\n</g>'
        for number, panel in enumerate(panels)
    )
    width = _WIDTH * len(panels)
    return (
        f'<svg viewBox="0 0 {width} {_HEIGHT}" xmlns="http://www.w3.org/2000/svg">\n<style>{_STYLE}</style>\n'
        f'<rect width="{width}" height="{_HEIGHT}" fill="#fff"/>\n{drawn}\n</svg>\n'
    )


def _panel(panel: Panel, size_axis: str) -> str:
    fit = Fit.of(panel.sizes, panel.values)
    step = _step(max(*panel.values, fit.at(panel.sizes[-1])))
    top = step * math.ceil(max(*panel.values, fit.at(panel.sizes[-1])) / step * 1.05)

    def across(size: int) -> float:
        first, last = math.log10(panel.sizes[0]), math.log10(panel.sizes[-1])
        return _LEFT + (math.log10(size) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)

    floor, right = up(0), _WIDTH - _RIGHT
    parts = [_text(_LEFT, 20, f"{panel.title} ({panel.unit})", "title", "start")]
    for number in range(round(top / step) + 1):
        value = number * step
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{up(value):.1f}" y2="{up(value):.1f}"/>')
        parts.append(_text(_LEFT - 8, up(value) + 4, f"{value:.3g}", "", "end"))
    parts += [_text(across(size), floor + 20, _short(size), "", "middle") for size in panel.sizes]
    parts.append(_text((_LEFT + right) / 2, floor + 42, size_axis, "", "middle"))
    parts.append(f'<path class="axis" fill="none" d="M{_LEFT} {_TOP - 8}V{floor:.1f}H{right}"/>')
    ends = [(across(size), up(fit.at(size))) for size in (panel.sizes[0], panel.sizes[-1])]
    parts.append('<path class="fit" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>'.format(*ends[0], *ends[1]))
    parts.append(_text(right, 38, f"{fit.start:.3g} {fit.slope:+.3g} · log₂(entries)", "law", "end"))
    for size, value in zip(panel.sizes, panel.values, strict=True):
        parts.append(f'<circle class="point" cx="{across(size):.1f}" cy="{up(value):.1f}" r="4.5"/>')
    return "\n".join(parts)


def _text(x: float, y: float, words: str, name: str, anchor: str) -> str:
    kind = f' class="{name}"' if name else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _step(largest: float) -> float:
    """A round distance between the lines of a grid, of which there are four or so."""
    rough = largest / 4
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= rough)


def _short(size: int) -> str:
    for unit, name in ((1_000_000, " M"), (1_000, " k")):
        if size >= unit:
            return f"{size / unit:g}{name}"
    return str(size)
