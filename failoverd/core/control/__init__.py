"""From what is known to what is done. `evaluate` is the way in; its stages stand here, one per file.

What is not a stage is data that others may hold (`Decision`, `Plan`, `Approved`, `PolicyState`, `Outcome`), or happens
beside a decision: `progress` (what a write came to), `propagation` (whether the servers agree), `ownership` (adopt and
disown), `news` (what is told of it), `standing` (what `status` shows of it).
"""
