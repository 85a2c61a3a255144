"""Small charts as inline SVG: a feature over the turns, target against realised, and who moved. No script. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from tandem_models.measures import Movement
from tandem_server.report.findings import Row

WIDTH, HEIGHT = 340, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 8, 8, 20
Point = tuple[float, float]
_SHAPES: Final = {"user": "disc", "target": "diamond", "agent": "square"}


def trajectory(rows: Sequence[Row], feature: int) -> str:
    """User's level, agent's target and what it realised, turn by turn (z)."""
    series: dict[str, list[Point]] = {"user": [], "target": [], "agent": []}
    for number, row in enumerate(rows):
        kind = "user" if row.side == "user" else "agent"
        for name, value in ((kind, row.scores[feature]), ("target", row.target[feature])):
            if value is not None:
                series[name].append((number, value))
    values = [z for points in series.values() for _, z in points]
    reach = max(2.0, math.ceil(max((abs(z) for z in values), default=0.0)))
    last = max(1, len(rows) - 1)

    def place(point: Point) -> Point:
        x = _LEFT + point[0] / last * (WIDTH - _LEFT - _RIGHT)
        return x, _TOP + (reach - point[1]) / (2 * reach) * (HEIGHT - _TOP - _BOTTOM)

    parts = list(_grid(reach, last, place))
    for name, points in series.items():
        placed = [place(point) for point in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline class="{name}" points="{line}"/>')
        if len(points) <= 120:
            parts += [_marker(name, x, y) for x, y in placed]
    return _svg(WIDTH, HEIGHT, parts, "You, target and realised over the turns, in z")


def _grid(reach: float, last: int, place: object) -> Iterable[str]:
    assert callable(place)
    for z in (-reach, -reach / 2, 0.0, reach / 2, reach):
        _, y = place((0, z))
        kind = "zero" if z == 0 else "grid"
        label = f"{z:+g}".replace("-", "\u2212") if z else "0"
        yield f'<line class="{kind}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>'
    step = max(1, math.ceil(last / 5 / 5) * 5) if last > 6 else 1
    for turn in range(0, last + 1, step):
        x, _ = place((turn, 0))
        yield f'<text x="{x:.1f}" y="{HEIGHT - 5}" text-anchor="middle">{turn + 1}</text>'


def _marker(name: str, x: float, y: float) -> str:
    match _SHAPES[name]:
        case "disc":
            return f'<circle class="{name} dot" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
        case "square":
            return f'<rect class="{name} dot" x="{x - 2.4:.1f}" y="{y - 2.4:.1f}" width="4.8" height="4.8"/>'
        case _:
            corners = f"{x:.1f},{y - 3:.1f} {x + 3:.1f},{y:.1f} {x:.1f},{y + 3:.1f} {x - 3:.1f},{y:.1f}"
            return f'<polygon class="{name} dot" points="{corners}"/>'


def scatter(points: Sequence[Point]) -> str:
    """What was asked for (across) and what was realised (up), in z; the diagonal is as asked."""
    size, margin = 104, 16
    reach = max(1.0, max((abs(value) for point in points for value in point), default=1.0)) * 1.08

    def at(value: float) -> float:
        return margin + (value + reach) / (2 * reach) * (size - margin - 4)

    low, zero, high = at(-reach), at(0.0), at(reach)
    lines = (("grid", low, high, low, high), ("zero", low, high, zero, zero), ("zero", zero, zero, low, high))
    parts = [
        f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{size - y1:.1f}" y2="{size - y2:.1f}"/>'
        for kind, x1, x2, y1, y2 in lines
    ]
    parts += [f'<circle class="agent dot" cx="{at(x):.1f}" cy="{size - at(y):.1f}" r="2.4"/>' for x, y in points]
    return _svg(size, size, parts, "Realised against target, in z")


def movement(moved: Movement) -> str:
    """Where both were in the first half (open) and in the second (filled), on one line of z; needs only differences."""
    width, height = 150, 30
    gap_before, gap_after = moved.before, moved.after
    most = max(gap_before, gap_after, 0.1)
    parts = []
    for row, (name, gap) in enumerate((("first half", gap_before), ("second half", gap_after))):
        length = gap / most * (width - 70)
        kind = "before" if row == 0 else "after"
        parts.append(f'<rect class="{kind}" x="62" y="{4 + 12 * row}" width="{max(length, 1):.1f}" height="9"/>')
        parts.append(f'<text x="58" y="{12 + 12 * row}" text-anchor="end">{name}</text>')
    return _svg(width, height, parts, "Distance of the two means in either half")


def _svg(width: int, height: int, parts: Iterable[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )
