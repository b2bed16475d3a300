"""Line charts as SVG: enough for a report, without a library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50
# Distinguishable without red against green (Okabe and Ito, 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers from `low` to `high`."""
    span = (high - low) or 1
    size = 1.0
    while span / size > about * 2:
        size *= 10
    while span / size < about / 5:
        size /= 10
    step = next(size * factor for factor in (0.5, 1, 2, 5, 10) if span / (size * factor) <= about)
    first = -(-low // step) * step
    return [first + step * n for n in range(int((high - first) / step + 1e-9) + 1)]


def svg(title: str, x_label: str, y_label: str, series: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> str:
    """`series`: name and points (x, y). The y axis begins at nought."""
    xs = [x for _, points in series for x, _ in points]
    ys = [y for _, points in series for _, y in points]
    low, high, top = min(xs), max(xs), max(ys) * 1.05 or 1

    def at(x: float, y: float) -> tuple[float, float]:
        return (LEFT + (x - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{WIDTH / 2}" y="20" text-anchor="middle" font-size="15">{escape(title)}</text>']
    for value in ticks(0, top):
        _, y = at(low, value)
        out += [f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>',
                f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>']
    for value in ticks(low, high, 10):
        x, _ = at(value, 0)
        out += [f'<line x1="{x:.1f}" y1="{HEIGHT - BOTTOM}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM + 4}" stroke="#666"/>',
                f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:g}</text>']
    out += [f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>',
            f'<text x="18" y="{(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle" transform="rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2})">'
            f'{escape(y_label)}</text>']
    for number, (name, points) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in points))
        out += [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
                f'<rect x="{LEFT + 12}" y="{TOP + 6 + 18 * number}" width="12" height="12" fill="{colour}"/>',
                f'<text x="{LEFT + 30}" y="{TOP + 16 + 18 * number}">{escape(name)}</text>']
    return "\n".join([*out, "</svg>", ""])
