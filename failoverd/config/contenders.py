"""Which file gets a name when several want it: one policy per policy name, one policy per DNS name.

The ownership marker is per DNS name, so two policies at one name would fence each other for ever. What runs is
preferred to what is new, so that a file which somebody adds cannot take a name from a service; among equals the first
file by name is. A running version whose file does not load goes on running, so it keeps its names too.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from failoverd.config.diagnostics import Code, Diagnostic, about_file
from failoverd.config.documents import Document
from failoverd.config.tree import Place
from failoverd.core.records import Policy

Claim = tuple[Code, str]
"""What a policy wants for itself alone: its own name, or the DNS name of a record."""


@dataclass(frozen=True, slots=True)
class _Claimant:
    """Somebody who wants a claim. `keeps`: it runs, from a file that does not load, and can only go on."""

    policy: Policy
    keeps: bool

    def rank(self, claim: Claim, running: Mapping[str, Policy]) -> tuple[int, str]:
        """Sorts the rightful owner first."""
        file = self.policy.source.file
        if self.keeps:
            return (0, file)
        runs = running.get(self.policy.name)
        if runs is None or claim not in _claims(runs):
            return (3, file)
        return (1 if runs.source.file == file else 2, file)

    def who(self, claim: Claim) -> str:
        source = self.policy.source
        if self.keeps:
            return f"policy {self.policy.name}, which runs from {source.file}"
        return f"policy {self.policy.name} at {source.at(_key(self.policy, claim))}"


def contested(
    policies: Sequence[Policy],
    running: Mapping[str, Policy],
    rejected: frozenset[str],
    document: Callable[[str], Document | None],
) -> dict[str, list[Diagnostic]]:
    """The files that do not get what they want, each with the reasons.

    Args:
        policies: what sound files hold.
        running: the policies that run now, by name.
        rejected: files that do not load; the policies that were loaded from them go on.
        document: reads a file again, to show the place of what it wants; None when it has gone meanwhile.

    A file that loses keeps its running version, which may hold a name that yet another file wants, so this goes round
    until nobody loses any more. Every round takes at least one file out, so it ends.
    """
    lost: dict[str, list[Diagnostic]] = {}
    while True:
        gone = rejected | lost.keys()
        claimants: dict[Claim, list[_Claimant]] = defaultdict(list)
        for policy in running.values():
            if policy.source.file in gone:
                _enter(claimants, policy, keeps=True)
        for policy in policies:
            if policy.source.file not in gone:
                _enter(claimants, policy, keeps=False)
        losers = _losers(claimants, running, document)
        if not losers:
            return lost
        lost |= losers


def _enter(claimants: dict[Claim, list[_Claimant]], policy: Policy, *, keeps: bool) -> None:
    for claim in _claims(policy):
        claimants[claim].append(_Claimant(policy, keeps))


def _losers(
    claimants: Mapping[Claim, list[_Claimant]],
    running: Mapping[str, Policy],
    document: Callable[[str], Document | None],
) -> dict[str, list[Diagnostic]]:
    losers: dict[str, list[Diagnostic]] = defaultdict(list)
    for claim, wanting in sorted((claim, wanting) for claim, wanting in claimants.items() if len(wanting) > 1):
        owner, *others = sorted(wanting, key=lambda claimant: claimant.rank(claim, running))
        for other in others:
            if not other.keeps:
                losers[other.policy.source.file].append(_says(other.policy, claim, owner, document))
    return dict(losers)


def _claims(policy: Policy) -> set[Claim]:
    return {(Code.POLICY_TWICE, policy.name), *((Code.NAME_TAKEN, record.key.name) for record in policy.records)}


def _place(policy: Policy, claim: Claim) -> Place:
    code, name = claim
    if code is Code.POLICY_TWICE:
        return ("policy",)
    index = next(index for index, record in enumerate(policy.records) if record.key.name == name)
    return ("records", index, "name")


def _key(policy: Policy, claim: Claim) -> str:
    return ".".join(map(str, _place(policy, claim)))


def _says(policy: Policy, claim: Claim, owner: _Claimant, document: Callable[[str], Document | None]) -> Diagnostic:
    code, name = claim
    if code is Code.POLICY_TWICE:
        message, hint = f"policy {name} is already defined: {owner.who(claim)}", "give one of them another name"
    else:
        message, hint = f"{name} belongs to {owner.who(claim)}", "one policy owns a name: put its records into one file"
    found = document(policy.source.file)
    if found is None:
        return about_file(code, policy.source.file, message, hint)
    return found.diagnose(code, _place(policy, claim), message, hint)
