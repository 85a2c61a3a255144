"""Small plots as SVG text, without a plotting library: bars with intervals, and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

COLOURS: Final = ("#1f5fa8", "#c2571a", "#3a7d44", "#8a4f9e", "#6b6b6b")
_ROW: Final = 20
_LABEL: Final = 240
_WIDTH: Final = 760


def bars(rows: Mapping[str, Sequence[float]], marked: str, unit: str) -> str:
    """Horizontal bars of (value, low, high), the marked one in colour; the axis begins below the smallest."""
    low = min(min(row) for row in rows.values())
    high = max(max(row) for row in rows.values())
    floor = low - 0.05 * ((high - low) or 1.0)

    def x(value: float) -> float:
        return _LABEL + (value - floor) / ((high - floor) or 1.0) * (_WIDTH - _LABEL - 70)

    parts = []
    for place, (name, (value, below, above)) in enumerate(rows.items()):
        y = place * _ROW
        colour = COLOURS[0] if name == marked else "#b8c4d0"
        parts.append(f'<text x="{_LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        width = max(x(value) - _LABEL, 1.0)
        parts.append(f'<rect x="{_LABEL}" y="{y + 3}" width="{width:.1f}" height="14" fill="{colour}"/>')
        parts.append(f'<path d="M{x(below):.1f} {y + 10}H{x(above):.1f}" stroke="#222"/>')
        parts.append(f'<text x="{x(max(value, above)) + 6:.1f}" y="{y + 14}">{value:.4f}</text>')
    height = len(rows) * _ROW + 18
    parts.append(
        f'<text x="{_LABEL}" y="{height - 3}" class="axis">{escape(unit)}; the axis begins at {floor:.3f}</text>'
    )
    return _svg(height, parts)


def lines(series: Mapping[str, Sequence[float]], planted: Mapping[str, float], x_label: str, y_label: str) -> str:
    """One line each; planted values are dashed in the same colour."""
    values = [value for row in series.values() for value in row] + list(planted.values())
    low, high, height = min(values), max(values), 260
    longest = max(len(row) for row in series.values())

    def at(place: int, value: float) -> str:
        x = 60 + place / max(longest - 1, 1) * (_WIDTH - 220)
        return f"{x:.1f} {_y(value, low, high, height):.1f}"

    parts = []
    for tick in (low, 0.5 * (low + high), high):
        y = _y(tick, low, high, height)
        parts.append(f'<path d="M60 {y:.1f}H{_WIDTH - 160}" stroke="#e3e3e3"/>')
        parts.append(f'<text x="54" y="{y + 4:.1f}" text-anchor="end">{tick:.2f}</text>')
    for colour, (name, row) in zip(COLOURS, series.items(), strict=False):
        path = "L".join(at(place, value) for place, value in enumerate(row))
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = _y(row[-1], low, high, height)
        parts.append(f'<text x="{_WIDTH - 152}" y="{y + 4:.1f}" fill="{colour}">{escape(name)}</text>')
        if name in planted:
            level = _y(planted[name], low, high, height)
            parts.append(f'<path d="M60 {level:.1f}H{_WIDTH - 160}" stroke="{colour}" stroke-dasharray="5 4"/>')
    parts.append(f'<text x="60" y="{height + 16}" class="axis">{escape(x_label)}; {escape(y_label)}</text>')
    return _svg(height + 24, parts)


def _y(value: float, low: float, high: float, height: int) -> float:
    return 12 + (high - value) / ((high - low) or 1.0) * (height - 32)


def _svg(height: int, parts: Sequence[str]) -> str:
    body = "".join(parts)
    return f'<svg viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img">{body}</svg>'
