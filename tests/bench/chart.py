"""Horizontal bars as SVG: a group for each case, in it a bar for each client, with its value behind its end.

The file has nothing that moves or comes from elsewhere. Its background is white, because a page may be dark.
"""

import math
from xml.sax.saxutils import escape

WIDTH, MARGIN, LABELS, VALUES = 900, 16, 290, 62
BAR, GAP, GROUP_GAP = 15, 2, 14
# How wide a letter is, about, in parts of the size of the type.
LETTER = 0.56


def told(seconds):
    """Three figures at most."""
    return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s" if seconds < 100 else f"{seconds:,.0f} s"


def axis(largest):
    """Round numbers from 0 to beyond the largest value, six steps at most."""
    step = 10 ** math.floor(math.log10(largest))
    while largest / step < 3:
        step /= 2
    while largest / step > 6:
        step *= 2
    return [step * number for number in range(math.ceil(largest / step) + 1)]


def text(x, y, words, size=13, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def bars(title, labels, series):
    """The document. `series` are (name, colour, values), and a value is None where there is none."""
    ticks = axis(max(value for _, _, values in series for value in values if value is not None))
    left, right = MARGIN + LABELS, WIDTH - MARGIN - VALUES
    scale = (right - left) / ticks[-1]
    lines, top = [], MARGIN + 34
    # A case has place only for the bars that it has.
    y = top + GROUP_GAP / 2
    for number, label in enumerate(labels):
        shown = [(colour, values[number]) for _, colour, values in series if values[number] is not None]
        height = len(shown) * (BAR + GAP) - GAP
        lines.append(text(left - 10, y + height / 2 + 4.5, label, anchor="end"))
        for colour, value in shown:
            lines.append(f'<rect x="{left}" y="{y:.1f}" width="{max(1, value * scale):.1f}" height="{BAR}" fill="{colour}"/>')
            lines.append(text(left + value * scale + 6, y + BAR - 3, told(value), size=12))
            y += BAR + GAP
        y += GROUP_GAP - GAP
    bottom = y - GROUP_GAP / 2
    grid = []
    for tick in ticks:
        x = left + tick * scale
        grid.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="{"#757575" if tick == 0 else "#e0e0e0"}"/>')
        grid.append(text(x, bottom + 18, f"{tick:g} s", size=12, anchor="middle", more=' fill="#616161"'))
    legend, x, height = [], left, bottom + 58
    for name, colour, _ in series:
        legend.append(f'<rect x="{x:.1f}" y="{bottom + 32:.1f}" width="13" height="13" fill="{colour}"/>')
        legend.append(text(x + 19, bottom + 43, name, size=14))
        x += 19 + len(name) * 14 * LETTER + 28
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}"'
    return "\n".join([
        f'{head} font-family="sans-serif" fill="#212121" role="img"><title>{escape(title)}</title>',
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="white"/>',
        text(left, MARGIN + 14, title, size=15),
        *grid, *lines, *legend, "</svg>\n",
    ])  # fmt: skip
