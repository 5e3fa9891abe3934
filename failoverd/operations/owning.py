"""`adopt` and `disown`: whose a record is. Only the marker is written; its answers stay as they are."""

from collections.abc import Callable
from dataclasses import dataclass

from failoverd.core.control.outcome import Outcome
from failoverd.core.control.ownership import adopted, disowned
from failoverd.core.control.plan import InSync, Plan
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import FailoverdError, Fenced, classified
from failoverd.core.records import Observed, Policy, Target
from failoverd.operations.session import Session, actor, unknown


@dataclass(frozen=True, slots=True)
class Owned:
    """How taking over one target, or giving it back, went. `proof` is what the authoritative servers say."""

    target: Target
    result: Plan | InSync | FailoverdError
    proof: str = ""


_Make = Callable[[Policy, PolicyState, Observed, str, str, float], Outcome | InSync]


async def adopt_record(session: Session, policy: Policy, name: str) -> list[Owned]:
    """Put our marker beside a record that exists without one, in every target of that name.

    Raises:
        ConfigError: the policy has no such record.
    """
    return [await _own(session, policy, target, adopted) for target in _targets(policy, name)]


async def disown_record(session: Session, policy: Policy, name: str) -> list[Owned]:
    """Take our marker away in every target of that name, so that nobody owns its answers.

    Raises:
        ConfigError: the policy has no such record.
    """
    return [await _own(session, policy, target, disowned) for target in _targets(policy, name)]


def _targets(policy: Policy, name: str) -> list[Target]:
    targets = [target for target in policy.targets if target.key.name == name.lower().removesuffix(".")]
    if not targets:
        names = sorted({record.key.name for record in policy.records})
        raise unknown(f"record in policy {policy.name}", name, names, "record_unknown")
    return targets


async def _own(session: Session, policy: Policy, target: Target, make: _Make) -> Owned:
    try:
        observed = await session.providers[target.provider].read(target)
        state = await session.recalled(policy, target)
        outcome = make(policy, state, observed, session.config.owner, actor(), session.clock())
        if isinstance(outcome, InSync):
            return Owned(target, outcome)
        refused = outcome.refused
        if refused is not None:
            return Owned(target, Fenced(refused.detail, reason=refused.reason, remedy=refused.remedy))
        proof = await session.apply(policy, outcome)
    except Exception as error:  # noqa: BLE001 - classified, and told for this target alone
        return Owned(target, classified(error))
    plan = outcome.plan
    if plan is None:
        raise ValueError("a write without a plan")
    return Owned(target, plan, proof)
