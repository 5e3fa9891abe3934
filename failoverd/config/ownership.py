"""Which file gets a name when several want it: one policy per policy name, one policy per DNS name.

The ownership marker is per DNS name, so two policies at one name would fence each other for ever. What runs is
preferred to what is new, so that a file which somebody adds cannot take a name from a service; among equals the first
file by name is. A running version whose file does not load goes on running, so it keeps its names too.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from failoverd.config.diagnostics import Code, Diagnostic
from failoverd.config.drafts import Draft
from failoverd.config.tree import Place
from failoverd.core.records import Policy

Claim = tuple[Code, str]
"""What a policy wants for itself alone: its own name, or the DNS name of a record."""


@dataclass(frozen=True, slots=True)
class _Claimant:
    """Somebody who wants a claim. `rank` sorts the rightful owner first."""

    rank: tuple[int, str]
    who: str
    place: str
    draft: Draft | None


def contested(
    drafts: Sequence[Draft], running: Mapping[str, Policy], rejected: frozenset[str]
) -> dict[str, list[Diagnostic]]:
    """The files that do not get what they want, each with the reasons.

    Args:
        drafts: sound files.
        running: the policies that run now, by name.
        rejected: files that do not load; the policies that were loaded from them go on.

    A file that loses keeps its running version, which may hold a name that yet another file wants, so this goes round
    until nobody loses any more. Every round takes at least one file out, so it ends.
    """
    lost: dict[str, list[Diagnostic]] = {}
    while True:
        gone = rejected | lost.keys()
        remaining = [draft for draft in drafts if draft.file not in gone]
        kept = [policy for policy in running.values() if policy.source.file in gone]
        losers = _losers(remaining, kept, running)
        if not losers:
            return lost
        lost |= losers


def _losers(
    drafts: Sequence[Draft], kept: Sequence[Policy], running: Mapping[str, Policy]
) -> dict[str, list[Diagnostic]]:
    claimants: dict[Claim, list[_Claimant]] = defaultdict(list)
    for policy in kept:
        for claim in _claims(policy.name, (record.key.name for record in policy.records)):
            who = f"policy {policy.name}, which runs from {policy.source.file}"
            claimants[claim].append(_Claimant((0, policy.source.file), who, policy.source.file, None))
    for draft in drafts:
        names = (record.name for record in draft.policy.records)
        for claim in _claims(draft.policy.policy, names):
            claimants[claim].append(_wants(draft, claim, running))
    losers: dict[str, list[Diagnostic]] = defaultdict(list)
    for claim, wanting in sorted(claimants.items()):
        owner, *others = sorted(wanting, key=lambda claimant: claimant.rank)
        for other in others:
            if other.draft is not None:
                losers[other.draft.file].append(_says(other.draft, claim, owner))
    return dict(losers)


def _claims(policy: str, names: Iterator[str]) -> list[Claim]:
    return [(Code.POLICY_TWICE, policy), *((Code.NAME_TAKEN, name) for name in sorted(set(names)))]


def _wants(draft: Draft, claim: Claim, running: Mapping[str, Policy]) -> _Claimant:
    runs = running.get(draft.policy.policy)
    has_it = runs is not None and claim in _claims(runs.name, (record.key.name for record in runs.records))
    same_file = runs is not None and runs.source.file == draft.file
    rank = (1 if has_it and same_file else 2 if has_it else 3, draft.file)
    line = draft.document.mark(_place(draft, claim)).line
    return _Claimant(rank, f"policy {draft.policy.policy} at {draft.file}:{line}", draft.file, draft)


def _place(draft: Draft, claim: Claim) -> Place:
    code, name = claim
    if code is Code.POLICY_TWICE:
        return ("policy",)
    index = next(index for index, record in enumerate(draft.policy.records) if record.name == name)
    return ("records", index, "name")


def _says(draft: Draft, claim: Claim, owner: _Claimant) -> Diagnostic:
    code, name = claim
    if code is Code.POLICY_TWICE:
        message, hint = f"policy {name} is already defined: {owner.who}", "give one of them another name"
    else:
        message, hint = f"{name} belongs to {owner.who}", "one policy owns a name: put its records into one file"
    return draft.document.diagnose(code, _place(draft, claim), message, hint)
