"""A benchmark as one HTML file that needs nothing besides itself: no script, no font, no address to ask."""

import time
from typing import Final

from failoverd.cli.benchmarking import plots, tables
from failoverd.cli.benchmarking.drawing import COLOURS, legend, legend_of_boxes
from failoverd.cli.benchmarking.statistics import Report
from failoverd.cli.benchmarking.style import STYLE
from failoverd.cli.pictures import inert
from failoverd.core.probe_reasons import ProbeOutcome

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Whatever is in the page, a browser that obeys this asks nobody for anything."""


def page(report: Report, command: str, began: float) -> str:
    """The whole file. `began` is in seconds since the epoch."""
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(began))
    title = f"Benchmark of {report.plan.policy}, {at}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{inert(title)}</title><style>{STYLE}{_colours()}</style></head>\n<body><main>"
        f"<h1>{inert(title)}</h1>{_lines(tables.summary(report))}<p><code>{inert(command)}</code></p>\n{_body(report)}"
        "</main></body></html>\n"
    )


def _colours() -> str:
    rules = (
        f".line.c{each} {{ stroke: var(--c{each}); }} .fill.c{each} {{ fill: var(--c{each}); }}\n"
        for each in range(COLOURS)
    )
    return "".join(rules)


def _lines(lines: list[str]) -> str:
    return "".join(f"<p>{inert(line)}</p>" for line in lines)


def _body(report: Report) -> str:
    """How the regions are comes first; how it is to be read, last."""
    named = {
        region.name: [each for each in report.run.samples if each.endpoint.region == region.name]
        for region in report.plan.regions
    }
    span = plots.span_of(report)
    first, *others = tables.tables(report)
    histograms = (plots.histogram(name, place, named) for place, name in enumerate(named))
    parts = [
        _section("Regions", _tables(first, plots.availability_strip(named, span)), _OUTCOMES),
        _section("Latency", legend(named), _plots(plots.latency_curve(named), plots.over_time(named, span))),
        _section("How latency is spread", _plots(*histograms)),
    ]
    completions = plots.completion_curves(named)
    if completions:
        about = (each for each in others if each.about == "completions")
        parts.append(_section("Completions", legend(named), _plots(*completions), _tables(*about)))
    parts.append(_section("In numbers", _tables(*(each for each in others if each.about != "completions"))))
    parts.append(_section("How to read this", _lines(tables.notes(report))))
    return "\n".join(parts)


_OUTCOMES: Final = legend_of_boxes(outcome.value for outcome in ProbeOutcome)


def _section(title: str, *parts: str) -> str:
    return f"<section><h2>{inert(title)}</h2>{''.join(parts)}</section>"


def _plots(*figures: str) -> str:
    return f'<div class="plots">{"".join(figures)}</div>'


def _tables(*parts: tables.Table | str) -> str:
    """Each as wide as it has to be, beside each other where there is room."""
    shown = (_table(each) if isinstance(each, tables.Table) else each for each in parts)
    return f'<div class="tables">{"".join(shown)}</div>'


def _table(found: tables.Table) -> str:
    reading = [heading in tables.WORDS for heading in found.rows[0]]
    head, *rows = (_row(cells, reading, "td" if place else "th") for place, cells in enumerate(found.rows))
    return (
        f'<div class="wide" tabindex="0"><table><caption><span>{inert(found.title)}</span></caption>'
        f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(cells: tuple[str, ...], reading: list[bool], tag: str) -> str:
    scope = ' scope="col"' if tag == "th" else ""
    marks = ("" if words else ' class="number"' for words in reading)
    parts = (f"<{tag}{scope}{mark}>{inert(cell)}</{tag}>" for cell, mark in zip(cells, marks, strict=True))
    return f"<tr>{''.join(parts)}</tr>"
