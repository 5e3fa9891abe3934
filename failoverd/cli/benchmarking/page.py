"""A benchmark as one HTML file that needs nothing besides itself: no script, no font, no address to ask."""

import time
from typing import Final

from failoverd.cli.benchmarking import plots, table
from failoverd.cli.benchmarking.statistics import Report

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --faint: #d0d7de; --quiet: #57606a;
  --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; --c4: #bf3989; --c5: #7d4e00;
  --pass: #2da44e; --degraded: #d4a72c; --fail: #cf222e; --blind: #8c959f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --faint: #30363d; --quiet: #8d96a0;
  --c0: #58a6ff; --c1: #f0883e; --c2: #3fb950; --c3: #bc8cff; --c4: #f778ba; --c5: #e3b341;
  --pass: #3fb950; --degraded: #e3b341; --fail: #f85149; --blind: #6e7681; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 80rem; padding: 0 1rem; }
code { overflow-wrap: anywhere; }
section { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1.5rem;
  align-items: start; margin-bottom: 2rem; }
figure, .wide { margin: 0; min-width: 0; }
.wide { overflow-x: auto; }
h2 { grid-column: 1 / -1; margin: 0; font-size: 1.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.85rem; }
caption { text-align: left; color: var(--quiet); }
th, td { text-align: left; padding: 0.2rem 0.7rem 0.2rem 0; border-bottom: 1px solid var(--faint); }
svg { width: 100%; height: auto; } .legend svg { width: 36px; height: 10px; }
svg text { font-size: 11px; fill: var(--quiet); } .end { text-anchor: end; } .middle { text-anchor: middle; }
.axis { stroke: var(--quiet); fill: none; } .grid { stroke: var(--faint); fill: none; }
.line { fill: none; stroke-width: 2; } .legend { list-style: none; padding: 0; display: flex; gap: 1.2rem;
  flex-wrap: wrap; }
.pass { fill: var(--pass); } .degraded { fill: var(--degraded); } .fail { fill: var(--fail); }
.blind { fill: var(--blind); }
"""


def page(report: Report, command: str, began: float) -> str:
    """The whole file. `began` is in seconds since the epoch."""
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(began))
    title = f"Benchmark of {report.plan.policy}, {at}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{plots.inert(title)}</title><style>{_STYLE}{_colours()}</style></head>\n<body><main>"
        f"<h1>{plots.inert(title)}</h1><p><code>{plots.inert(command)}</code></p>{_notes(report)}\n{_body(report)}"
        "</main></body></html>\n"
    )


def _colours() -> str:
    rules = (
        f".line.c{each} {{ stroke: var(--c{each}); }} .fill.c{each} {{ fill: var(--c{each}); }}\n"
        for each in range(plots.COLOURS)
    )
    return "".join(rules)


def _notes(report: Report) -> str:
    return "".join(f"<p>{plots.inert(line)}</p>" for line in table.notes(report))


def _body(report: Report) -> str:
    """Latency beside its plots, how requests ended beside the strip, and then the other tables."""
    named = {
        region.name: [each for each in report.run.samples if each.endpoint.region == region.name]
        for region in report.plan.regions
    }
    tables = [_table(title, rows) for title, rows in table.tables(report)]
    latency = [plots.percentile_curve(named), plots.over_time(named, report.run.seconds)]
    spread = [plots.histogram(name, place, named) for place, name in enumerate(named)]
    parts = [
        _section("Latency", plots.legend(named), tables[0], *(_figure(each) for each in latency)),
        _section("How latency is spread", *(_figure(each) for each in spread)),
        _section("Availability", _figure(plots.availability_strip(named, report.run.seconds)), _KEY),
        _section("In numbers", *tables[1:]),
    ]
    return "\n".join(parts)


_KEY: Final = (
    '<ul class="legend">'
    + "".join(
        f'<li><svg width="36" height="10" aria-hidden="true"><rect class="{each}" width="36" height="10"/></svg>'
        f" {each}</li>"
        for each in ("pass", "degraded", "fail", "blind")
    )
    + "</ul>"
)


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{plots.inert(title)}</h2>{''.join(parts)}</section>"


def _figure(plot: str) -> str:
    return f"<figure>{plot}</figure>"


def _table(title: str, rows: table.Rows) -> str:
    head = "".join(f'<th scope="col">{plots.inert(cell)}</th>' for cell in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{plots.inert(cell)}</td>' for cell in row)}</tr>" for row in rows[1:])
    return (
        f'<div class="wide"><table><caption>{plots.inert(title)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
