"""A first configuration as files, which say why each thing stands there."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from failoverd.cli.starting.answers import First
from failoverd.config.schema.inventory_file import INVENTORY
from failoverd.config.values import say_duration
from failoverd.config.writing import flow
from failoverd.core.records import RecordType, Weights

PROVIDER: Final = "main"
"""What policies call the one provider."""

_TTL: Final = 30
"""Seconds: short enough to fail over within a minute, long enough for what resolvers cost."""


def files(first: First) -> dict[str, str]:
    """Every file by its place in the folder. The daemon's own is the last one: without it, the others mean nothing."""
    made = {
        f"policies/{INVENTORY}": _inventory(first),
        f"policies/{first.policy}.yaml": _policy(first),
        "failoverd.yaml": _config(first),
    }
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


# -- the daemon's own --------------------------------------------------------------------------------------------------


def _config(first: First) -> Iterator[str]:
    yield "# What failoverd itself needs to know. Every key is explained by: failoverctl schema config"
    yield "version: 1"
    yield ""
    yield "# Who this installation is: the name stands in the marker beside each record that it owns. One daemon has"
    yield "# it; never change it once records are owned."
    yield f"owner: {flow(first.owner)}"
    yield ""
    yield "# The folder of the policies, and of the regions that they share. Relative to this file, as the journal is."
    yield "policies: policies"
    if first.journal:
        yield ""
        yield "# What was done and what operators said. To lose it moves no traffic."
        yield f"journal: {flow(first.journal)}"
    yield ""
    yield "# Secrets do not stand here but in files of their own, which only the daemon's user can read."
    yield "providers:"
    yield f"  {PROVIDER}:"
    yield f"    kind: {first.kind.name}"
    yield f"    zones: {flow([first.zone])}  # nothing is written anywhere else"
    yield from _settings(first)
    yield ""
    yield "# Two or three addresses that have nothing to do with the service and are always there: while these do not"
    yield "# answer, failoverd doubts itself instead of the service."
    yield "# sentinels:"
    yield "#   resolver-a: {tcp: 53, address: 192.0.2.201}"


def _settings(first: First) -> Iterator[str]:
    told = {need.key: need.words for need in first.kind.needs}
    for key, value in first.settings.items():
        if not isinstance(value, Mapping):
            yield f"    {flow(key)}: {flow(value)}{_aside(told.get(key, ''))}"
            continue
        yield f"    {flow(key)}:"
        for inner, each in value.items():
            yield f"      {flow(inner)}: {flow(each)}{_aside(told.get(f'{key}.{inner}', ''))}"


def _aside(words: str) -> str:
    """A comment: what was asked, without what could have been answered."""
    return f"  # {re.split('[:;(]', words)[0].strip()}" if words else ""


# -- the inventory -----------------------------------------------------------------------------------------------------


def _inventory(first: First) -> Iterator[str]:
    yield "# The regions, and whose they are: clouds that are all lost in one moment are a reason to doubt the prober."
    yield "# Every key is explained by: failoverctl schema regions"
    yield "version: 1"
    yield "regions:"
    for region in first.regions:
        yield f"  {flow(region.name)}: {{cloud: {flow(region.cloud)}}}"


# -- the policy --------------------------------------------------------------------------------------------------------


def _policy(first: First) -> Iterator[str]:
    types, capabilities = first.types, first.kind.capabilities
    ttl = say_duration(max(_TTL, capabilities.min_ttl))
    yield "# One service: its records, its regions, how they are probed, and how traffic moves between them."
    yield "# Every key is explained by: failoverctl schema policy"
    yield "version: 1"
    yield f"policy: {flow(first.policy)}"
    yield ""
    yield "# Resolvers keep an answer for its ttl: what leaves a region is gone after that time at most."
    yield "records:"
    for each in types:
        yield f"  - {{name: {flow(first.record)}, type: {each}, ttl: {ttl}, providers: [{PROVIDER}]}}"
    yield ""
    ordered = any(each in capabilities.single for each in types)
    yield from _ordered(first) if ordered else _shared(first, types)
    yield ""
    yield "# Each endpoint is asked so often, and has so long to answer. Look at it: failoverctl probe POLICY"
    yield "checks:"
    yield f"  live: {flow({**first.check, 'every': '10s', 'timeout': '2s'})}"
    yield ""
    yield "# Three failures, half a second apart, make an endpoint unhealthy; five passes in a row make it well again."
    yield "health: {fall: 3, rise: 5, recheck: 500ms}"
    yield ""
    yield "# A region that was left gets traffic again when it was well for so long; `manual`: when a person says so."
    if ordered or _in_or_out(first, types):
        yield "failback: {after: 5m}"
    else:
        yield "# It comes back step by step, and is out again at the first step that it cannot bear."
        yield "failback: {after: 5m, ramp: [10%, 25%, 50%, 100%]}"
    yield ""
    yield "# How fast traffic moves by itself. No rate keeps what is down in the answer; min_regions does: so many"
    yield "# regions stay in it in any case."
    yield "limits: {min_regions: 1, max_shift: 100% per 5m, max_changes: 4 per 1h}"
    yield ""
    yield "# When every region fails at once, the answer stays as it was. An edit by hand in DNS is put back."
    yield "when_all_down: keep"
    yield "on_drift: restore"


def _ordered(first: First) -> Iterator[str]:
    yield "# This provider holds one such answer at a time: the first region that is well gives it."
    yield "steering: failover"
    yield "regions:"
    for number, region in enumerate(first.regions, start=1):
        yield _region(region.name, {"priority": number, "endpoints": region.endpoints})


def _in_or_out(first: First, types: list[RecordType]) -> bool:
    """Whether the provider has no weights for these."""
    return all(first.kind.capabilities.weights.get(each) is Weights.MEMBERSHIP for each in types)


def _shared(first: First, types: list[RecordType]) -> Iterator[str]:
    if _in_or_out(first, types):
        yield "# This provider has no weights: an address is in the answer, with any share above zero, or it is not."
        yield "weights: membership"
        yield ""
    yield "# All regions share evenly, unless each says its `share` in percent; `share: 0` is a standby, which gets"
    yield "# what the others cannot carry."
    yield "regions:"
    for region in first.regions:
        yield _region(region.name, {"endpoints": region.endpoints})


def _region(name: str, said: Mapping[str, Any]) -> str:
    return f"  {flow(name)}: {flow(said)}"
