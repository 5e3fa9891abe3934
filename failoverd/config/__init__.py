"""From files to a checked configuration: read, bound, validate, cross-check, and say everything that is wrong at once.

A file goes through four gates, each of which only adds diagnostics and never raises: `documents` (bytes to plain data
with positions), `schema` and `validation` (is each value what its key wants), `crosschecks` (do the values fit each
other, the inventory and the providers), `ownership` (do the files fit each other). `loader` leads through them.
"""
