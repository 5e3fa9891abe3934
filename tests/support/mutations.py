"""Breaks each rule that never bends, once, in a copy, and plays there until somebody notices: `make mutations`.

A mutation says which words of a file are put in the place of others. One whose old words are gone fails: whoever
changed them says here how the rule is broken now. `python -m support.mutations NAME` tries those of such a name.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from support.laws import Law

ROOT: Final = Path(__file__).parents[2]
CLUSTER, MEMBERS, ESTATE = "test_simulation", "test_members_simulation", "test_estate_simulation"
PROOF = "test_proof"
"""What `failoverctl prove` finds, of two policies that share regions."""

SECONDS: Final = 600.0
"""How long one mutation may be played."""

NOTICED, UNNOTICED = 10, 11
"""How the process ends that plays."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Words of a file of `failoverd/`, and what is put in their place. They stand there once."""

    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Make it in the copy that is there.

        Raises:
            LookupError: the words are not there, or more than once.
        """
        path = root / "failoverd" / self.file
        text = path.read_text(encoding="utf-8")
        if (times := text.count(self.old)) != 1:
            raise LookupError(f"failoverd/{self.file} has {times} times what is to be broken: {self.old!r}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule broken: how, which simulation notices, and within how many seeds.

    Attributes:
        name: what was broken, in words.
        law: the rule that it breaks, and that has to be noticed: others that rest on it may be noticed before.
        game: the module of the simulation.
        seeds: how many of its seeds are played at most.
    """

    name: str
    law: Law
    edits: tuple[Edit, ...]
    game: str = CLUSTER
    seeds: int = 60


LIMITS, WORKER = "core/control/limits.py", "runtime/target_worker.py"
ALL: Final = (
    Mutation(
        "where one region is left, nothing is answered",
        Law.EMPTY,
        (
            Edit(
                "core/control/decide.py",
                "    parts = weights_of or {}\n",
                "    if len(shares) == 1:\n        return RecordSet.of(record.key, record.ttl, {})\n"
                "    parts = weights_of or {}\n",
            ),
            Edit(LIMITS, "LimitCheck(Limit.NEVER_EMPTY, serving > 0,", "LimitCheck(Limit.NEVER_EMPTY, True,"),
            Edit("simulation/paper_provider.py", "if not desired.serving:", "if desired.serving is None:"),
        ),
    ),
    Mutation(
        "a provider takes what was planned on something else",
        Law.STALE,
        (
            Edit(
                "simulation/paper_provider.py",
                "if (found.records, found.marker_text) != (plan.before.records, plan.before.marker_text):",
                "if False:",
            ),
        ),
        MEMBERS,
    ),
    Mutation(
        "a generation grows from what this process wrote last, and not from what stands there",
        Law.STALE,
        (
            Edit(
                "core/control/plan.py",
                "floor = max(seen, marker.generation if marker else 0, last_good.generation if last_good else 0)",
                "floor = last_good.generation - 1 if last_good else 0",
            ),
        ),
        MEMBERS,
    ),
    Mutation(
        "an emptied record is left empty",
        Law.REBUILT,
        (
            Edit(
                "core/control/decision.py",
                "return not answers and (self.owned or self.last_good is not None)",
                "return False",
            ),
            Edit(
                "core/control/evaluate.py",
                "    if decision.records is None:\n        kept, memory",
                "    if case.observed.records is None and case.observed.marker is not None:\n"
                "        decision = replace(decision, records=None)\n"
                "    if decision.records is None:\n        kept, memory",
            ),
        ),
    ),
    Mutation(
        "a prober that is cut off believes what it sees",
        Law.DOUBT,
        (
            Edit(
                "core/health/vantage.py",
                "        if doubt is not None and doubt.abstains:\n            return Veto(doubt.evidence)",
                "        if doubt is None and track.cloud == '':\n            return Veto('')",
            ),
            Edit(
                "core/control/eligible.py",
                "    capped = _capped(policy, serving, view, published, now)",
                "    capped = {}",
            ),
        ),
    ),
    Mutation(
        "what was never seen counts as seen",
        Law.UNSEEN,
        (
            Edit(
                "core/control/eligible.py",
                "awaited = [spec for spec in unknown if not view.regions[spec.name].seen]",
                "awaited = []",
            ),
        ),
    ),
    Mutation(
        "who is told to stop goes on writing",
        Law.STATIC,
        (
            Edit(WORKER, "if self._rounds.stopping or outcome.plan is None:", "if outcome.plan is None:"),
            Edit(WORKER, "            if self._rounds.stopping:\n                continue\n", ""),
        ),
    ),
    Mutation(
        "each policy counts a region's capacity for itself",
        Law.ROOM,
        (
            Edit(
                "runtime/estate.py",
                "return granted, self._usual.grant(policy.name)",
                "return (None, None) if granted else (granted, granted)",
            ),
        ),
        PROOF,
    ),
    Mutation(
        "a file that does not load is not told",
        Law.BAD_FILE,
        (
            Edit(
                "runtime/policy_runner.py",
                "self._running[policy].rejected = error",
                "self._running[policy].rejected = ''",
            ),
        ),
    ),
    Mutation(
        "a policy that is removed is worked on",
        Law.OWNED,
        (
            Edit(
                "runtime/policy_runner.py",
                "        await self._halt(self._off(name))\n        self._probing.forget(name)",
                "        if tools is not None:\n            return\n        self._probing.forget(name)",
            ),
        ),
    ),
    Mutation(
        "all records take turns, at whichever provider they are",
        Law.ALONE,
        (
            Edit(
                WORKER,
                "return self._locks[target.provider, target.zone, target.key.name]",
                'return self._locks["", "", ""]',
            ),
        ),
    ),
    Mutation(
        "what failed is tried again without a pause",
        Law.RETRIES,
        (
            Edit(
                WORKER,
                "        delay = backoff(attempt, chance=self._tools.chance)",
                "        delay = 0.0 * backoff(attempt)",
            ),
        ),
    ),
    Mutation(
        "a change is told without its reasons",
        Law.EXPLAINED,
        (
            Edit(
                "core/control/news.py",
                "        reasons=plan.decision.reasons,\n        evidence=evidence,",
                "        reasons=(),\n        evidence=evidence,",
            ),
        ),
    ),
    Mutation(
        "spent budgets hold a region that is down",
        Law.DEAD,
        (
            Edit(LIMITS, "name in step.hurt or _dead(step, name)\n", "name in step.hurt\n"),
            Edit(
                LIMITS,
                "def _dead_values(step: Step) -> bool:\n",
                "def _dead_values(step: Step) -> bool:\n    return False\n\n\ndef _of_old(step: Step) -> bool:\n",
            ),
        ),
    ),
    Mutation(
        "a step that is larger than `max_shift` never passes",
        Law.DEAD,
        (Edit(LIMITS, "    if count.passed and left > 0:\n", "    if count.passed and left > 2 * WHOLE:\n"),),
    ),
    Mutation(
        "a region outside of the residency may answer",
        Law.RESIDENCY,
        (
            Edit(
                "core/control/residency.py",
                "def within(policy: Policy, jurisdiction: str) -> bool:\n",
                "def within(policy: Policy, jurisdiction: str) -> bool:\n    return True\n\n\n"
                "def _of_old(policy: Policy, jurisdiction: str) -> bool:\n",
            ),
        ),
        ESTATE,
    ),
    Mutation(
        "a plan is made of less than the daemon knows",
        Law.SHOWN,
        (
            Edit(
                "runtime/states.py",
                "new = {key: memory for key, memory in touched.items() if not _same(kept.get(key), memory)}",
                "new = {}",
            ),
        ),
    ),
    Mutation(
        "plan promises to restore an edit that the daemon keeps",
        Law.SHOWN,
        (
            Edit(
                "operations/planning.py",
                "    state = back(replace(state, verdicts=health), returning)\n",
                "    state = back(replace(state, verdicts=health), returning)\n"
                "    memory = replace(state.of(target), edit=None, last_good=None)\n"
                "    state = state.with_target(memory)\n",
            ),
        ),
    ),
    Mutation(
        "plan looks at no word of an operator",
        Law.SHOWN,
        (
            Edit(
                "operations/planning.py",
                "state = back(replace(state, verdicts=health), returning)",
                "state = back(replace(state, verdicts=health, overrides=()), returning)",
            ),
        ),
    ),
    Mutation(
        "a hold is not heeded",
        Law.WORDS,
        (
            Edit("core/control/overriding.py", "if word.verb is Verb.HOLD or (stopped", "if (stopped"),
            Edit(
                "runtime/override_book.py",
                "holds = word.verb is Verb.HOLD and",
                "holds = word.verb is Verb.SWITCH and",
            ),
        ),
    ),
    Mutation(
        "a drain is not heeded",
        Law.WORDS,
        (
            Edit(
                "core/control/overriding.py",
                "if word.verb not in {Verb.DRAIN, Verb.SHED}:",
                "if word.verb is not Verb.SHED:",
            ),
        ),
    ),
    Mutation(
        "words are forgotten by a restart",
        Law.WORDS,
        (Edit("runtime/override_book.py", "found = {word.id: word for word in words} |", "found = {} |"),),
    ),
    Mutation(
        "urgent news obeys the patience that an earlier try asked for",
        Law.NEWS,
        (
            Edit(
                "runtime/agenda.py", "if not urgency.is_routine or now >= self._patience:", "if now >= self._patience:"
            ),
            Edit(WORKER, "return min(delay, LONGEST_URGENT_PAUSE) if urgent and passing else delay", "return delay"),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutation: whether it was noticed, what was said, and the seconds that it took."""

    noticed: bool
    said: str
    took: float


def tried(mutation: Mutation) -> Verdict:
    """Break it in a copy, and play there.

    Raises:
        LookupError: the words that it breaks are gone.
        RuntimeError: the copy cannot be played.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        root = Path(folder)
        for part in ("failoverd", "tests/support", "tests/runtime", "tests/simulation"):
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("page", "*.svg"))
        for edit in mutation.edits:
            edit.apply(root)
        what = mutation.game, mutation.seeds, int(mutation.law)
        paths = os.pathsep.join(str(root / each) for each in (".", "tests", "tests/runtime", "tests/simulation"))
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "support.mutations", "--play", *map(str, what)],
                env={**_plain(os.environ), "PYTHONPATH": paths},
                cwd=root,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Verdict(noticed=False, said=f"nothing was noticed in {SECONDS:g}s", took=SECONDS)
    if ended.returncode not in {NOTICED, UNNOTICED}:
        raise RuntimeError(f"{mutation.name}: the copy cannot be played:\n{ended.stdout}{ended.stderr}")
    return Verdict(ended.returncode == NOTICED, ended.stdout.strip(), time.monotonic() - began)


def _plain(environment: "os._Environ[str]") -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("FAILOVERD_")}


def _play(game: str, seeds: int, law: int) -> int:
    """Play seeds of a simulation until it is noticed that this rule is broken."""
    if game == PROOF:
        return _prove()
    found, others = import_module(game).GAME, list[str]()
    for seed in range(seeds):
        told = found.wrong(seed, most=0).splitlines()[1:]
        mine = [line for line in told if line.startswith(f"rule {law} ")]
        if mine:
            print(f"seed {seed}:", mine[0])  # noqa: T201 - it is what is asked for
            return NOTICED
        others += [f"seed {seed}: {line}" for line in told[:1]]
    print(f"nothing of it was noticed in {seeds} seeds;", *others[:1])  # noqa: T201 - it is what is asked for
    return UNNOTICED


def _prove() -> int:
    """Prove two policies that share regions."""
    files = import_module(PROOF)
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        proof = files.proved(Path(folder), files.SPREAD, 54, pilot=files.PILOT)
    for each in proof.counterexamples:
        print(f"{each.broken.promise}: {each.situation}: {each.broken.said}")  # noqa: T201 - it is what is asked for
    return NOTICED if proof.counterexamples else UNNOTICED


def _rows(mutations: Sequence[Mutation]) -> Iterator[tuple[Mutation, Verdict]]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from zip(mutations, pool.map(tried, mutations), strict=True)


def main(words: Sequence[str]) -> int:
    if words[:1] == ["--play"]:
        return _play(words[1], int(words[2]), int(words[3]))
    chosen = [each for each in ALL if not words or any(word in each.name for word in words)]
    missed = 0
    for mutation, verdict in _rows(chosen):
        missed += not verdict.noticed
        mark = "noticed" if verdict.noticed else "MISSED"
        print(f"{mark:8} {verdict.took:6.1f}s  rule {mutation.law:2d}  {mutation.name}\n         {verdict.said[:150]}")  # noqa: T201
    return 1 if missed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
