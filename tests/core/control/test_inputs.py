"""What is taken down of a decision: enough to make it again, at no cost that grows with the policy."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from support.stage import API, policy, record

from failoverd.core.control.decision import DecisionKind
from failoverd.core.control.incident import Incident
from failoverd.core.control.inputs import Overheard, sayable, taken_down
from failoverd.core.control.outcome import Estate
from failoverd.core.control.state import PolicyState, TargetMemory, key_of
from failoverd.core.records import Observed, Target
from failoverd.core.status import TargetState

MANY = policy(records=tuple(record("api", f"r{number}.example.com") for number in range(100)))


class Counted(Mapping[str, TargetMemory]):
    """Memories, and how often one was looked up by its name."""

    def __init__(self, memories: Mapping[str, TargetMemory]) -> None:
        self.memories, self.asked = memories, 0

    def __getitem__(self, key: str) -> TargetMemory:
        self.asked += 1
        return self.memories[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.memories)

    def __len__(self) -> int:
        return len(self.memories)

    def items(self):  # type: ignore[no-untyped-def] # noqa: ANN201 - as a dict's
        return self.memories.items()


def at_ease(target: Target) -> TargetMemory:
    return TargetMemory(target, state=TargetState.IN_SYNC, kind=DecisionKind.NORMAL)


def test_while_an_incident_goes_on_no_other_target_is_looked_up() -> None:
    known = Counted({key_of(target): at_ease(target) for target in MANY.targets})
    state = PolicyState("api", incident=Incident("inc-1", 1.0), targets=known, calm=False)
    target = MANY.targets[3]
    estate = Estate("tests", lambda desired: desired)
    inputs = taken_down(MANY, state, Observed(target, None), estate, Overheard(estate.normalise, sayable(MANY)), 2.0)
    assert list(inputs.state.targets) == [key_of(target)]
    assert known.asked <= 5
    assert not inputs.calm


def test_what_is_known_of_a_target_that_is_new_is_nothing() -> None:
    estate = Estate("tests", lambda desired: desired)
    state = replace(PolicyState("api"), incident=Incident("inc-1", 1.0), calm=True)
    heard = Overheard(estate.normalise, sayable(API))
    inputs = taken_down(API, state, Observed(API.targets[0], None), estate, heard, 2.0)
    assert (dict(inputs.state.targets), inputs.calm) == ({}, True)
