"""`PolicyState` in the parts that are kept each by itself: its head, and the memory of each target.

A policy may have a thousand records, and one changes at a time. The journal keeps the parts as rows, the members'
common memory as values; whoever reads one looks that it is about what it stands under.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

from failoverd import codec
from failoverd.core.control.state import PolicyState, TargetMemory, key_of
from failoverd.core.overrides import Override
from failoverd.core.records import WHOLE

T = TypeVar("T")

HEAD: Final = ""
"""The key of what is kept of a policy besides its targets."""


def parts_of(state: PolicyState) -> Mapping[str, str]:
    """JSON by key: the head, and each target that the state has. Operators' words are kept by themselves."""
    head = codec.dump(replace(state, targets={}, overrides=()))
    return {HEAD: head, **{key: codec.dump(memory) for key, memory in state.targets.items()}}


def state_head(policy: str, body: codec.Json) -> PolicyState:
    """What is kept of a policy besides its targets. Raises ValueError, also for what is of another policy."""
    state = _loaded(PolicyState, body)
    _require_same(state.policy, policy)
    return state


def target_memory(policy: str, target: str, body: codec.Json) -> TargetMemory:
    """What is kept of a target. Raises ValueError, also for what is of another target."""
    memory = _loaded(TargetMemory, body)
    _require_same(memory.target.policy, policy)
    _require_same(key_of(memory.target), target)
    return memory


def override_of(override_id: str, body: codec.Json) -> Override:
    """An operator's word. Raises ValueError, also for another one's."""
    word = _loaded(Override, body)
    _require_same(word.id, override_id)
    if not all(0 <= share <= WHOLE for share in word.shares.values()):
        raise ValueError(f"the shares of {override_id} are none")
    return word


def _loaded(kind: type[T], body: codec.Json) -> T:
    """From text, or from JSON that was parsed already."""
    return codec.load(kind, body) if isinstance(body, str | bytes) else codec.shaped(kind, body)


def _require_same(said: str, key: str) -> None:
    if said != key:
        raise ValueError(f"the row of {key} is about {said}")
