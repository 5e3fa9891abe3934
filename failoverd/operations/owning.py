"""`adopt` and `disown`: whose a record is. Only the marker is written; its answers stay as they are."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from failoverd.core.control.outcome import Outcome
from failoverd.core.control.ownership import adopted, disowned
from failoverd.core.control.plan import InSync, Plan, RefusalReason, Signature
from failoverd.core.control.state import PolicyState
from failoverd.core.errors import ConfigError, FailoverdError, Fenced, classified
from failoverd.core.records import Observed, Policy, RecordSpec, Target
from failoverd.operations.session import Session, actor
from failoverd.operations.slips import unknown
from failoverd.operations.waiting import Stage, Waiting
from failoverd.runtime.target_worker import FENCED_TRIES, lasting
from failoverd.settings import parse_record_name


@dataclass(frozen=True, slots=True)
class Owned:
    """How taking over one target, or giving it back, went; InSync when it was so already.

    `proof` is what the authoritative servers say, `since` what another writer did to the record right after.
    """

    target: Target
    result: "Plan | InSync | NotOurs | FailoverdError"
    proof: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class NotOurs:
    """An orphan that had been given back, or taken, or deleted by somebody else: there is nothing left to do."""


_Make = Callable[[Policy, PolicyState, Observed, Signature, str, float], Outcome | InSync]


async def adopt_record(session: Session, policy: Policy, name: str) -> list[Owned]:
    """Put our marker beside a record that exists without one, in every target of that name.

    Raises:
        ConfigError: the policy has no such record.
    """
    return await _own_all(session, policy, name, adopted)


async def disown_record(session: Session, owner: str, name: str) -> list[Owned]:
    """Take our marker away in every target of that name, so that nobody owns its answers.

    It works for an orphan, too, whose policy has no file any more, or names the record no more.

    Raises:
        ConfigError: there is no such policy, or it has no such record, and neither is orphaned.
    """
    await session.orphans.look(session.claims)
    wanted = _plain(name)
    left = [each.target for each in session.orphans.status.records if each.target.policy == owner]
    orphaned = [target for target in left if target.key.name == wanted]
    if not orphaned:
        policy = session.policy(owner)
        return await _own_all(session, policy, name, disowned)
    done = [await _disown_orphan(session, target) for target in orphaned]
    await session.orphans.look(session.claims)
    return await _proved(session, done)


async def _disown_orphan(session: Session, target: Target) -> Owned:
    """Of the policy nothing is left but its name, which stands in the marker."""
    if target.provider not in session.providers:
        words = f"provider {target.provider} is not in the configuration any more"
        remedy = f"put it back, or remove {target.key.marker_name} by hand"
        return Owned(target, ConfigError(words, reason="provider_unknown", remedy=remedy))
    record = RecordSpec(target.key, 0, (target,))
    done = await _own(session, Policy(target.policy, (record,), regions=(), checks=()), target, disowned)
    if isinstance(done.result, InSync) or (isinstance(done.result, Fenced) and done.result.reason in _NOT_OURS):
        await session.orphans.give_up(target)
        return Owned(target, NotOurs())
    return done


_NOT_OURS: Final = frozenset({RefusalReason.NO_MARKER, RefusalReason.OTHER_OWNER, RefusalReason.OTHER_POLICY})


def _targets(policy: Policy, name: str) -> list[Target]:
    targets = [target for target in policy.targets if target.key.name == _plain(name)]
    if not targets:
        names = sorted({record.key.name for record in policy.records})
        raise unknown(f"record in policy {policy.name}", name, names, "record_unknown")
    return targets


def _plain(name: str) -> str:
    """A name as people write it, as failoverd keeps it; what is no name stays as it is, and is no record's."""
    try:
        return parse_record_name(name)
    except ValueError:
        return name


async def _own_all(session: Session, policy: Policy, name: str, make: _Make) -> list[Owned]:
    return await _proved(session, [await _own(session, policy, target, make) for target in _targets(policy, name)])


async def _proved(session: Session, done: list[Owned]) -> list[Owned]:
    """With what the authoritative servers say of what was written, unless it was replaced since."""
    return [
        replace(each, proof=await session.proof(each.result))
        if isinstance(each.result, Plan) and not each.since
        else each
        for each in done
    ]


async def _own(session: Session, policy: Policy, target: Target, make: _Make) -> Owned:
    """One target. Another writer at the same time is no failure: what counts is whose the record is in the end."""
    fenced = 0
    try:
        while True:
            outcome = await _made(session, policy, target, make)
            if isinstance(outcome, InSync):
                return Owned(target, outcome)
            try:
                return Owned(target, await session.apply(policy, outcome))
            except Fenced as error:
                if error.reason == "overtaken" and outcome.plan is not None:
                    return Owned(target, outcome.plan, since=error.detail)
                fenced += 1
                if fenced > FENCED_TRIES:
                    raise lasting(error) from error
    except Exception as error:  # noqa: BLE001 - classified, and told for this target alone
        return Owned(target, classified(error))


async def _made(session: Session, policy: Policy, target: Target, make: _Make) -> Outcome | InSync:
    """What is to be written. Raises Fenced when the record is not ours to touch."""
    session.waits(Waiting(Stage.READING, 0, 1))
    observed = await session.providers[target.provider].read(target)
    state = await session.recalled(policy, target)
    signed = Signature(session.config.owner, session.instance)
    outcome = make(policy, state, observed, signed, actor(), session.clock())
    if isinstance(outcome, Outcome) and outcome.refused is not None:
        refused = outcome.refused
        raise Fenced(refused.detail, reason=refused.reason, remedy=refused.remedy)
    return outcome
