"""An SVG of what was measured: one strip for each quantity, over time, with
the faults below."""

from html import escape

STRIPS = {"memory": "private memory of a worker, KB",
          "descriptors": "descriptors of a worker",
          "rows": "rows of the zone", "states": "learned states",
          "keys": "keys in Redis"}
WIDTH, HEIGHT, LEFT, GAP = 900, 80, 60, 34


def strip(samples, name, top, place):
    """Axis and line of one quantity."""
    high = max((one[name] for one in samples), default=0) or 1
    points = " ".join(
        f"{place(one['time']):.1f},{top + HEIGHT * (1 - one[name] / high):.1f}"
        for one in samples)
    return (f'<text x="{LEFT}" y="{top - 6}">{escape(STRIPS[name])}</text>'
            f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">'
            f'{high:.0f}</text>'
            f'<path d="M{LEFT} {top}V{top + HEIGHT}H{WIDTH - 10}" '
            'fill="none" stroke="#999"/>'
            f'<polyline points="{points}" fill="none" stroke="#06c"/>')


def draw(phases):
    """The text of the SVG. ``phases`` as `run.phase` returns them; they
    follow each other on one axis."""
    begins, passed = [], 0.0
    for one in phases:
        first = one["samples"][0]["time"] if one["samples"] else 0.0
        begins.append(first - passed)
        passed += one["seconds"]

    def shifted(samples, begin):
        return [{**one, "time": one["time"] - begin} for one in samples]

    def place(seconds):
        return LEFT + (WIDTH - 10 - LEFT) * min(1.0, max(
            0.0, seconds / (passed or 1)))

    samples = [each for one, begin in zip(phases, begins)
               for each in shifted(one["samples"], begin)]
    faults = [(kind, start - begin) for one, begin in zip(phases, begins)
              for kind, start, _, _ in one["faults"]]
    parts, top = [], 24
    for name in STRIPS:
        parts.append(strip(samples, name, top, place))
        top += HEIGHT + GAP
    for kind in sorted({kind for kind, _ in faults}):
        times = [start for name, start in faults if name == kind]
        ticks = "".join(f"M{place(t):.1f} {top - 9}v10" for t in times)
        parts.append(f'<path d="{ticks}" stroke="#c30"/>'
                     f'<text x="{LEFT}" y="{top - 12}" fill="#666">'
                     f'{escape(kind)}, {len(times)} times</text>')
        top += 26
    parts.append(f'<text x="{LEFT}" y="{top + 8}">0</text>'
                 f'<text x="{WIDTH - 10}" y="{top + 8}" text-anchor="end">'
                 f'{passed:.0f} s</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
            f'height="{top + 20}" font-family="sans-serif" font-size="11">'
            '<rect width="100%" height="100%" fill="white"/>'
            + "\n".join(parts) + "</svg>\n")
