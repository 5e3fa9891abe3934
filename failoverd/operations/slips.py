"""Names that nothing has: slips, and no reason to say that nothing happened."""

from collections.abc import Collection

from failoverd.config.diagnostics import suggestion
from failoverd.core.errors import ConfigError
from failoverd.core.names import failoverctl
from failoverd.store.reading import HistoryReading


def unknown(what: str, wrong: str, known: Collection[str], reason: str, remedy: str = "") -> ConfigError:
    """Nothing has that name: what was probably meant, or what there is."""
    hint = suggestion(wrong, list(known)) or "there is none"
    return ConfigError(f"there is no {what} {wrong!r}; {hint}", reason=reason, remedy=remedy)


def require_policy(reading: HistoryReading, policy: str | None) -> None:
    """Raises ConfigError for a policy that the journal does not know."""
    if policy is not None and policy not in (known := reading.policy_names()):
        raise unknown("policy", policy, known, "policy_unknown")


def require_member(reading: HistoryReading, member: str | None) -> None:
    """Raises ConfigError for who is no member, by the journal, and never told anything as one."""
    if member is None:
        return
    status = reading.members()
    known = [each.name for each in status.members] if status is not None else []
    if member not in known and not reading.events(member=member, limit=1):
        raise unknown("member", member, known, "member_unknown", f"{failoverctl('members')} names them")
