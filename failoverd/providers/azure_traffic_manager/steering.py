"""A plan as single writes to one profile, without a condition that Azure would check: what is done about that.

The API of Traffic Manager has no ETag, and no write that covers several endpoints. So:

1. The profile is read and compared with what the plan was made from. If it differs, nothing is written.
2. The claim: one PATCH of the profile sets the marker with the new generation, and the tag `failoverd-writer` to a name
   that no other write has.
3. Then, over and over: the profile is read, and one endpoint is written. When the claim is not ours any more, another
   writer came after us: we stop. What gains comes first, what loses last, so that the profile is never left without an
   answer, and a write that stops in the middle leaves too many answers and not too few. The TTL comes after all of
   them, in a request of its own: whatever it may be refused for, it keeps no traffic on a dead region.
4. It is done when what was read is what was planned.

Whoever claims last therefore wins, and the other stops, having sent at most one more request after that claim (it was
read, then another claimed, then our PATCH arrived). This is the window that stays: one stray PATCH can disable, enable
or weigh one endpoint. If it disabled the last one, who sent it sees that at the next read and takes it back at once.
The rest is seen as a difference at the next round and written anew. That only one daemon writes is for whoever
runs them to see to, and not for Azure.

A crash anywhere in between leaves a marker with our generation and answers that differ from the policy's: the next
round finds a difference and writes the next generation.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Protocol

from failoverd.core.control.plan import Plan
from failoverd.core.errors import NO_EFFECT, Fenced, Permanent
from failoverd.core.records import Answer, RecordSet
from failoverd.providers.azure_traffic_manager.profile import (
    EXTERNAL,
    MARKER_TAG,
    WRITER_TAG,
    Profile,
    ProfileEndpoint,
    observe,
)
from failoverd.providers.shared import sets
from failoverd.providers.shared.refusals import stale

_ROUNDS: Final = 3
"""How often each endpoint may be written before it is somebody else's doing that the profile does not settle."""

_PATIENCE: Final = 2
"""How often in a row a write may turn out to have had no effect. Once may be the stray request of who was overtaken."""


class Requests(Protocol):
    """What is asked of one profile. Every failure is a ProviderError."""

    async def read(self) -> Profile: ...

    async def claim(self, tags: Mapping[str, str]) -> None:
        """Replace the profile's tags."""

    async def set_ttl(self, profile: Profile, ttl: int) -> None:
        """Replace the TTL of the profile, which was read so."""

    async def create(self, endpoint: ProfileEndpoint) -> None: ...
    async def update(self, endpoint: ProfileEndpoint) -> None:
        """Give the endpoint its weight and status, and leave the rest of it alone."""


async def steer(plan: Plan, requests: Requests, writer: str) -> Profile:
    """Make the profile answer with what the plan says. Returns it as it was read after the last write.

    Args:
        plan: what to write, and what has to stand there before.
        requests: to the profile.
        writer: a name that no other write has.

    Raises:
        Permanent: the plan would publish nothing, or a write had no effect.
        Fenced: the profile is not what the plan was made from, and nothing was changed; or another writer came.
    """
    sets.serving(plan.after)
    found = await requests.read()
    if observe(plan.target, found) != replace(plan.before, token=""):
        raise stale(f"{plan.target.key.name} or its marker is no longer what was read; nothing was changed")
    await requests.claim(_claimed(found.tags, plan, writer))
    mine, before = writer if plan.marker_text is not None else "", found.tags
    last: ProfileEndpoint | int | None = None
    repeated = 0
    for _ in range(_ROUNDS * (len(found.endpoints) + len(plan.after.answers) + 1) + 1):
        found = await requests.read()
        if isinstance(last, ProfileEndpoint) and not last.enabled and not found.answering:
            await requests.update(replace(last, enabled=True))
        if found.writer != mine:
            raise _no_effect(plan) if found.tags == before else _overtaken(plan, found)
        step = next_step(found, plan.after) or (plan.after.ttl if plan.after.ttl != found.ttl else None)
        if step is None:
            return found
        repeated = repeated + 1 if step == last else 0
        if repeated == _PATIENCE:
            raise _no_effect(plan)
        await _write(requests, found, step)
        last = step
    raise _unsettled(plan)


async def _write(requests: Requests, found: Profile, step: ProfileEndpoint | int) -> None:
    """An endpoint as it is to be, or the TTL."""
    if not isinstance(step, ProfileEndpoint):
        await requests.set_ttl(found, step)
    elif step.name in found.endpoint_names:
        await requests.update(step)
    else:
        await requests.create(step)


def next_step(profile: Profile, wanted: RecordSet) -> ProfileEndpoint | None:
    """The endpoint to write next, as it is to be; None when the profile answers as wanted.

    In this order: what is missing or too light, what is too heavy, what is not to answer at all.
    """
    ours, spare = _matched(profile, wanted)
    gains = [_gaining(profile, answer, ours.get(answer.value)) for answer in wanted.serving]
    losses = [_losing(answer, ours.get(answer.value)) for answer in wanted.serving]
    gone = [replace(endpoint, enabled=False) for endpoint in spare if endpoint.enabled]
    return next((step for step in (*gains, *losses, *gone) if step is not None), None)


def steps(profile: Profile, wanted: RecordSet) -> list[ProfileEndpoint]:
    """Every endpoint to be written, in order, when nobody else writes."""
    found: list[ProfileEndpoint] = []
    while (step := next_step(profile, wanted)) is not None:
        found.append(step)
        others = tuple(endpoint for endpoint in profile.endpoints if endpoint.name != step.name)
        profile = replace(profile, endpoints=(*others, step))
    return found


def plain_name(value: str) -> str:
    """What failoverd calls the endpoint that it creates for this value."""
    return f"failoverd-{value.replace(':', '-')}"


def _matched(profile: Profile, wanted: RecordSet) -> tuple[dict[str, ProfileEndpoint], list[ProfileEndpoint]]:
    """The endpoint that answers with each wanted value, and those that are not to answer; without those left alone."""
    values = {answer.value for answer in wanted.serving}
    ours: dict[str, ProfileEndpoint] = {}
    spare: list[ProfileEndpoint] = []
    for endpoint in sorted(profile.endpoints, key=lambda endpoint: (not endpoint.enabled, endpoint.name)):
        if endpoint.left_alone:
            continue
        if endpoint.value in values and endpoint.value not in ours:
            ours[endpoint.value] = endpoint
        else:
            spare.append(endpoint)
    return ours, spare


def _gaining(profile: Profile, answer: Answer, endpoint: ProfileEndpoint | None) -> ProfileEndpoint | None:
    if endpoint is None:
        return ProfileEndpoint(
            _free_name(profile, answer.value), EXTERNAL, answer.value, enabled=True, weight=answer.weight
        )
    if endpoint.enabled and endpoint.weight >= answer.weight:
        return None
    return replace(endpoint, enabled=True, weight=answer.weight)


def _losing(answer: Answer, endpoint: ProfileEndpoint | None) -> ProfileEndpoint | None:
    if endpoint is None or endpoint.weight <= answer.weight:
        return None
    return replace(endpoint, weight=answer.weight)


def _free_name(profile: Profile, value: str) -> str:
    """A name for a new endpoint. A taken one would replace the endpoint that has it."""
    taken = {name.lower() for name in profile.endpoint_names}
    plain = plain_name(value)
    names = (plain if number == 1 else f"{plain}.{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name.lower() not in taken)


def _claimed(tags: Mapping[str, str], plan: Plan, writer: str) -> dict[str, str]:
    """The tags with the new marker; without any of ours when the name is given back."""
    others = {name: text for name, text in tags.items() if name not in {MARKER_TAG, WRITER_TAG}}
    if plan.marker_text is None:
        return others
    return others | {MARKER_TAG: plan.marker_text, WRITER_TAG: writer}


def _overtaken(plan: Plan, found: Profile) -> Fenced:
    return Fenced(
        f"another writer claimed {plan.target.key.name} while generation {plan.generation} was being written; its "
        f"marker says now {found.tags.get(MARKER_TAG, 'nothing')!r}",
        reason="overtaken",
        remedy="let one failoverd alone write this profile: Azure compares nothing when it is written",
    )


def _no_effect(plan: Plan) -> Permanent:
    return Permanent(
        f"Azure said yes to a write of {plan.target.key.name}, and reading it back shows no effect",
        reason=NO_EFFECT,
        remedy="look at the activity log of the profile: somebody undoes what is written, or Azure did not do it",
    )


def _unsettled(plan: Plan) -> Fenced:
    return Fenced(
        f"{plan.target.key.name} changes while it is being written, and not by a writer of failoverd",
        reason="record_changed",
        remedy="find out who else writes the profile's endpoints (a pipeline, an autoscaler) and let one alone do it",
    )
