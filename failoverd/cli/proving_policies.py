"""`failoverctl prove`: hold policies to what they promise, in every situation or as many as were asked for."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from failoverd.cli.failing import note, print_json, print_text, told
from failoverd.cli.options import Exit, Output
from failoverd.cli.progress_line import progress
from failoverd.cli.screen import shown
from failoverd.cli.telling_tests import WrongTold
from failoverd.cli.testing import read_asked, say_of_files
from failoverd.config.test_files import TestSet
from failoverd.core.records import Capabilities, Policy, few
from failoverd.core.rules import Rule
from failoverd.operations.waiting import Stage, Waiting
from failoverd.simulation.pasting_tests import as_test
from failoverd.simulation.promises import SAYS, Promise
from failoverd.simulation.proof import Counterexample, Proof, prove, situations_of
from failoverd.simulation.situations import together
from failoverd.telemetry.phrases import counted
from failoverd.telemetry.reasoning import words

_NAMED: Final = 3
"""Circumstances that are named to a person; JSON has all of them."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Policies that are decided together, and the rules of their inventory."""

    policies: Mapping[str, Policy]
    rules: tuple[Rule, ...]
    of: int


class BrokenTold(BaseModel):
    """A promise that is not kept. `states` has the regions that are ill; `test` is what to paste below `tests:`."""

    promise: str
    policy: str
    record: str
    states: dict[str, str]
    happened: str
    said: str
    reasons: list[str]
    test: str


class GroupTold(BaseModel):
    """Policies that are decided together. `whole` names what was looked at in every situation, `sampled` the rest."""

    policies: list[str]
    situations: int
    looked_at: int
    whole: list[str]
    sampled: list[str]
    broken: list[BrokenTold]


class ProofTold(BaseModel):
    """What `failoverctl prove --output json` prints. `proved`: something was looked at, and nothing broke a promise.

    `exhaustive`: it was everything. `stopped`: it was less than was to be, for somebody or the time ended it.
    """

    proved: bool
    exhaustive: bool
    stopped: bool
    seed: int
    groups: list[GroupTold]
    diagnostics: list[WrongTold] = []


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a proof is to go: how many situations, which sample, and `within` how many seconds, if it is."""

    most: int
    seed: int
    within: float | None = None


def prove_policies(paths: Sequence[Path], config: Path, output: Output, reach: Reach, *, named: bool) -> Exit:
    """Prove the policies of these files and folders; without any, of the configuration, or the working directory.

    `named`: the configuration was named on the command line.
    """
    with told():
        read, about = read_asked(paths, config, named=named)
        say_of_files(about)
        if any(each.is_error for each in about):
            wrong = [WrongTold.model_validate(each.plain()) for each in about]
            if output is Output.JSON:
                nothing = ProofTold(
                    proved=False, exhaustive=False, stopped=False, seed=reach.seed, groups=[], diagnostics=wrong
                )
                print_json(nothing.model_dump())
            return Exit.FAILED
        groups = _groups(read, paths)
        if not groups:
            note("no policy is in these files: name a policy file, or its folder")
            return Exit.FAILED
        began = time.monotonic()
        answer = _told(_prove(groups, reach, _able(read)), reach.seed)
        late = reach.within is not None and time.monotonic() - began > reach.within
        if output is Output.JSON:
            print_json(answer.model_dump())
        else:
            print_text(shown("\n".join(_text(answer)) + "\n", lines=True))
        if any(group.broken for group in answer.groups):
            return Exit.FAILED
        if answer.stopped and not late:
            return Exit.INTERRUPTED
        return Exit.FINE if answer.proved else Exit.FAILED


def _able(read: TestSet) -> Mapping[str, Capabilities]:
    """What the providers of a configuration can say."""
    providers = read.config.providers if read.config is not None else {}
    return {name: each.capabilities for name, each in providers.items()}


def _groups(found: TestSet, paths: Sequence[Path]) -> list[_Group]:
    """Whom to prove: whoever is decided together with what was named."""
    return [
        _Group(policies, rules, situations_of(policies, rules))
        for estate in found.estates
        for rules in (estate.found.rules or (),)
        for policies in together(estate.found.policies)
        if not paths or any(_named(policy, paths) for policy in policies.values())
    ]


def _named(policy: Policy, paths: Sequence[Path]) -> bool:
    file = Path(policy.source.file)
    return file in paths or file.parent in paths


def _prove(groups: Sequence[_Group], reach: Reach, providers: Mapping[str, Capabilities]) -> list[tuple[_Group, Proof]]:
    """The smallest first: what they do not need of their part is left to the others."""
    found, left, done = list[tuple[_Group, Proof]](), reach.most, 0
    ordered = sorted(groups, key=lambda each: each.of)
    of, began = min(reach.most, sum(each.of for each in groups)), time.monotonic()
    with progress() as tell:
        for number, group in enumerate(ordered):
            part = max(1, left // (len(ordered) - number))
            over = bool(found) and found[-1][1].stopped
            begun = done

            def far(each: int, _: int, begun: int = begun, *, over: bool = over) -> bool:
                tell(Waiting(Stage.WEIGHING, begun + each, of))
                return over or (reach.within is not None and time.monotonic() - began > reach.within)

            proof = prove(group.policies, group.rules, part, reach.seed, far, providers)
            done += proof.looked_at
            left -= proof.looked_at
            found.append((group, proof))
    return sorted(found, key=lambda each: each[1].policies)


# -- what is told ------------------------------------------------------------------------------------------------------


def _told(found: Sequence[tuple[_Group, Proof]], seed: int) -> ProofTold:
    return ProofTold(
        proved=any(proof.looked_at for _, proof in found) and not any(proof.counterexamples for _, proof in found),
        exhaustive=not any(proof.sampled for _, proof in found),
        stopped=any(proof.stopped for _, proof in found),
        seed=seed,
        groups=[
            GroupTold(
                policies=list(proof.policies),
                situations=proof.of,
                looked_at=proof.looked_at,
                whole=[each.said or "nothing else" for each in proof.whole],
                sampled=[each.said or "nothing else" for each in proof.sampled],
                broken=[_broken(each, proof) for each in proof.counterexamples],
            )
            for group, proof in found
        ],
    )


def _broken(found: Counterexample, proof: Proof) -> BrokenTold:
    broken, situation = found.broken, found.situation
    return BrokenTold(
        promise=broken.promise,
        policy=broken.target.policy,
        record=str(broken.target.key),
        states={name: str(state) for name, state in sorted(situation.ill.items())},
        happened=situation.circumstance.said,
        said=broken.said,
        reasons=[words(each) for each in broken.outcome.reasons],
        test=as_test(found, proof.normal),
    )


def _text(answer: ProofTold) -> Iterator[str]:
    """The headline, then what is not kept, then how far it got."""
    broken = [each for group in answer.groups for each in group.broken]
    number, of = (sum(getattr(each, name) for each in answer.groups) for name in ("looked_at", "situations"))
    reach = f"all of {counted(of, 'situation')}" if answer.exhaustive else f"{number} of {counted(of, 'situation')}"
    if broken:
        yield f"{counted(len(broken), 'promise')} not kept, in {reach}"
    elif not number:
        yield f"nothing was looked at: {reach}"
    else:
        yield f"{'proved' if answer.exhaustive else 'no counterexample'}: {reach}"
    if answer.stopped:
        yield "stopped before all was looked at that was to be"
    for each in broken:
        yield from ("", f"NOT KEPT  {each.policy}: {SAYS[Promise(each.promise)]}")
        happened = [f"{name} {state}" for name, state in each.states.items()] + (
            [each.happened] if each.happened else []
        )
        yield f"  when   {', '.join(happened) or 'all is well'}"
        yield f"  found  {each.record}: {each.said}"
        yield "  the sum"
        yield from (f"    {reason}" for reason in each.reasons)
        yield "  as a test"
        yield from (f"  {line}" for line in each.test.splitlines())
    yield ""
    for group in answer.groups:
        yield from _reached(group, answer.seed)


def _reached(group: GroupTold, seed: int) -> Iterator[str]:
    whole = f"all of {counted(group.situations, 'situation')}"
    some = f"{group.looked_at} of {counted(group.situations, 'situation')}"
    yield f"{', '.join(group.policies)}: {some if group.sampled else whole}"
    if group.sampled:
        yield f"  in whole: {few(group.whole, _NAMED) or 'nothing'}"
        sample = counted(len(group.sampled), "circumstance")
        yield f"  sampled (--seed {seed}): {sample}; --most {group.situations} looks at all of them"
