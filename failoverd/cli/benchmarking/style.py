"""How the page of a benchmark looks: light or dark as its reader has chosen, on wide screens, narrow ones and paper."""

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --faint: #d8dee4; --quiet: #57606a;
  --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; --c4: #bf3989; --c5: #7d4e00;
  --pass: #2da44e; --degraded: #bf8700; --fail: #cf222e; --blind: #8c959f; }
@media screen and (prefers-color-scheme: dark) { :root {
  --ink: #e6edf3; --paper: #0d1117; --faint: #30363d; --quiet: #9da7b3;
  --c0: #58a6ff; --c1: #f0883e; --c2: #3fb950; --c3: #bc8cff; --c4: #f778ba; --c5: #e3b341;
  --pass: #3fb950; --degraded: #e3b341; --fail: #f85149; --blind: #8b949e; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 1.5rem auto;
  max-width: 80rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 0.5rem; text-wrap: balance; }
h2 { margin: 2rem 0 1rem; font-size: 1.15rem; border-bottom: 2px solid var(--faint); break-after: avoid; }
p { margin: 0.25rem 0; max-width: 50rem; overflow-wrap: anywhere; }
code { font-size: 0.85rem; color: var(--quiet); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.25rem 2rem; }
.tables { display: flex; flex-wrap: wrap; gap: 1.5rem 3rem; align-items: start; margin: 1rem 0; }
.tables figure { flex: 1 1 24rem; }
figure { margin: 0; min-width: 0; max-width: 36rem; break-inside: avoid; }
.wide { max-width: 100%; overflow-x: auto; }
figcaption, caption { text-align: left; font-size: 0.85rem; color: var(--quiet); margin-bottom: 0.3rem; }
figcaption b { color: var(--ink); }
caption { color: var(--ink); font-weight: 600; }
caption span { display: inline-block; max-width: calc(100vw - 2rem); position: sticky; left: 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.85rem; }
th, td { text-align: left; padding: 0.25rem 1.1rem 0.25rem 0; border-bottom: 1px solid var(--faint);
  white-space: nowrap; }
th { color: var(--quiet); font-weight: 600; }
.number { text-align: right; }
tr > :first-child { position: sticky; left: 0; background: var(--paper); }
tr > :last-child { padding-right: 0; }
svg { display: block; width: 100%; height: auto; }
svg text { font-size: 12px; fill: var(--quiet); } .end { text-anchor: end; } .middle { text-anchor: middle; }
.axis { stroke: var(--quiet); fill: none; } .grid { stroke: var(--faint); fill: none; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.legend { list-style: none; margin: 0.7rem 0; padding: 0; display: flex; gap: 0.3rem 1.4rem;
  flex-wrap: wrap; font-size: 0.9rem; }
.legend svg { display: inline-block; width: 28px; height: 10px; }
.pass { fill: var(--pass); } .degraded { fill: var(--degraded); } .fail { fill: var(--fail); }
.blind { fill: var(--blind); }
@media (max-width: 40rem) { body { margin: 1rem auto; } th, td { padding-right: 0.7rem; } }
@media print { :root { color-scheme: light; font-size: 65%; } body { margin: 0; font-size: 1rem; }
  .plots { grid-template-columns: 1fr 1fr; } .wide { overflow: visible; } tr { break-inside: avoid; }
  svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
