"""Alerts of a monitoring system, as words about regions: who sent them, until when, and what a person said of them.

An alert that names a region by its label `failoverd_region` calls it degraded, or down where `failoverd_verdict` says
so. It is kept, shown, ended and audited like an operator's word of the verb `alert`. It holds until the end that it
names, or for half an hour from its last notification; resolved, it is over. What a person released stays so until the
alert was resolved once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2s
from typing import Final, Literal

from failoverd.config.diagnostics import suggestion
from failoverd.core.control.signals import BurnFinding
from failoverd.core.events import AlertIgnored, OverrideEvent
from failoverd.core.overrides import LONGEST, Announced, Comment, Override, Scope, Verb, begins
from failoverd.core.records import Policy
from failoverd.foreign import quoted
from failoverd.runtime.override_book import changed, ended, given

HOLDS: Final = 1_800.0
"""Seconds for which an alert without an end holds after its last notification."""

MOST_ALERTS: Final = 200
"""Alerts in force that one installation keeps: a rule without bounds leaves room for people's words."""

RESOLVED: Final = "the alert is resolved"

OURS: Final = "failoverd"
"""How the names of labels begin that are for us: who writes one, means us."""

_VERDICTS: Final = (BurnFinding.DEGRADED, BurnFinding.DOWN)
_LONGEST_REASON: Final = 300
_LONGEST_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a notification.

    Attributes:
        fingerprint: the same for as long as its labels are.
        labels: of which some are for us.
        firing: False once it is resolved.
        ends: when it is over, where its sender says so.
        summary: what it says to people.
    """

    fingerprint: str
    labels: Mapping[str, str]
    firing: bool
    ends: float | None = None
    summary: str = ""


Became = Literal["given", "extended", "changed", "ended", "known", "ignored"]


@dataclass(frozen=True, slots=True)
class AlertHeard:
    """What an alert came to: `given`, `extended`, `changed`, `ended`, `known` or `ignored`, and why.

    `word` and `event` are to be kept and told, where there is something. `ignored` is told once, as long as the alert
    fires and is ignored for the same reason.
    """

    fingerprint: str
    became: Became
    why: str = ""
    word: Override | None = None
    event: OverrideEvent | None = None
    ignored: AlertIgnored | None = None


def heard(
    alert: Alert, words: Sequence[Override], policies: Mapping[str, Policy], actor: str, now: float
) -> AlertHeard:
    """What is to be made of an alert. `words` are all that are known."""
    mine = [word for word in words if word.verb is Verb.ALERT and word.digest == alert.fingerprint]
    held = next((word for word in mine if not word.over_by(now)), None)
    if not alert.firing:
        return _resolved(alert, held, mine, actor, now)
    scope, verdict = _scope(alert.labels), alert.labels.get("failoverd_verdict", str(BurnFinding.DEGRADED))
    wrong = _wrong(scope, verdict, policies)
    if wrong:
        return _ignored(alert, wrong, actor, now)
    released = next((word for word in mine if _by_a_person(word)), None)
    if held is None and released is not None:
        return AlertHeard(alert.fingerprint, "ignored", f"{released.id} was released by {released.ended_by}")
    until = min(alert.ends if alert.ends is not None and alert.ends > now else now + HOLDS, now + LONGEST)
    if held is not None:
        return _again(alert, held, verdict, actor, until, now)
    if sum(word.verb is Verb.ALERT and not word.over_by(now) for word in words) >= MOST_ALERTS:
        why = f"{MOST_ALERTS} alerts are in force, and there is room for no more"
        return _ignored(alert, why, actor, now)
    word = _word(alert, scope, verdict, actor, now, until, {each.id for each in words})
    return AlertHeard(alert.fingerprint, "given", "", word, given(word, now))


def _ignored(alert: Alert, why: str, actor: str, now: float) -> AlertHeard:
    """It is not heeded. Its sender does not read the answer, so whoever reads the log hears of it, if it means us."""
    if not any(label.startswith(OURS) for label in alert.labels):
        return AlertHeard(alert.fingerprint, "ignored", why)
    name, about = quoted(alert.labels.get("alertname", "")), quoted(alert.fingerprint)
    event = AlertIgnored(at=now, alert=name, fingerprint=about, by=actor, why=why)
    return AlertHeard(alert.fingerprint, "ignored", why, ignored=event)


def _again(alert: Alert, held: Override, verdict: str, actor: str, until: float, now: float) -> AlertHeard:
    """It is notified of once more."""
    word = replace(held, until=until, name=verdict)
    if verdict != held.name:
        comment = f"it is {verdict} now"
        word = replace(word, comments=(*held.comments, Comment(now, actor, comment)))
        return AlertHeard(alert.fingerprint, "changed", "", word, changed(word, actor, comment, now))
    return AlertHeard(alert.fingerprint, "extended", "", word)


def _resolved(alert: Alert, held: Override | None, mine: Sequence[Override], actor: str, now: float) -> AlertHeard:
    if held is not None:
        over = replace(held.released(actor, RESOLVED, now), told=Announced.ENDED, digest="")
        return AlertHeard(alert.fingerprint, "ended", "", over, ended(over, now))
    released = next((word for word in mine if _by_a_person(word)), None)
    # from now on it is another alert that fires, which nobody released
    return AlertHeard(alert.fingerprint, "known", "", replace(released, digest="") if released is not None else None)


def _by_a_person(word: Override) -> bool:
    return word.ended_at is not None and bool(word.ended_by)


def _scope(labels: Mapping[str, str]) -> Scope:
    region, policy = labels.get("failoverd_region", ""), labels.get("failoverd_policy", "")
    return Scope(regions=(region,) if region else (), policies=(policy,) if policy else ())


def _wrong(scope: Scope, verdict: str, policies: Mapping[str, Policy]) -> str:
    """Why an alert cannot be heeded; "" if it can. Names are compared as they are: no label is a pattern."""
    if not scope.regions:
        return "it has no label failoverd_region"
    if verdict not in _VERDICTS:
        return "failoverd_verdict is degraded or down"
    if scope.policies and scope.policies[0] not in policies:
        words = "there is no policy of the name that failoverd_policy says"
        return f"{words}, {_said(scope.policies[0], sorted(policies))}"
    about = [policies[name] for name in scope.policies] or list(policies.values())
    if not any(region.name == scope.regions[0] for policy in about for region in policy.regions):
        known = sorted({region.name for policy in about for region in policy.regions})
        return f"no policy here has the region that failoverd_region says, {_said(scope.regions[0], known)}"
    return ""


def _said(name: str, known: Sequence[str]) -> str:
    """A name that nobody knows, and what was probably meant."""
    hint = suggestion(name, known)
    return f'"{quoted(name, _LONGEST_NAME)}"{f"; {hint}" if hint else ""}'


def _word(
    alert: Alert, scope: Scope, verdict: str, actor: str, now: float, until: float, taken: Collection[str]
) -> Override:
    begin, salt = begins(Verb.ALERT, scope), 0

    def name() -> str:
        return begin + blake2s(repr((alert.fingerprint, actor, now, salt)).encode(), digest_size=2).hexdigest()

    while name() in taken:
        salt += 1
    severity = alert.labels.get("severity", "")
    words = " ".join(filter(None, (alert.labels.get("alertname", "an alert"), severity and f"({severity})")))
    reason = quoted(f"{words}: {alert.summary}" if alert.summary else words, _LONGEST_REASON)
    return Override(
        id=name(),
        verb=Verb.ALERT,
        scope=scope,
        actor=actor,
        since=now,
        until=until,
        comments=(Comment(now, actor, reason),),
        digest=alert.fingerprint,
        name=verdict,
    )
