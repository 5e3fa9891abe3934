"""Names that nothing has: slips, and no reason to say that nothing happened."""

from collections.abc import Collection

from failoverd.config.diagnostics import suggestion
from failoverd.core.errors import ConfigError
from failoverd.store.reading import HistoryReading


def unknown(what: str, wrong: str, known: Collection[str], reason: str, remedy: str = "") -> ConfigError:
    """Nothing has that name: what was probably meant, or what there is."""
    hint = suggestion(wrong, list(known)) or "there is none"
    return ConfigError(f"there is no {what} {wrong!r}; {hint}", reason=reason, remedy=remedy)


def require_policy(reading: HistoryReading, policy: str | None) -> None:
    """Raises ConfigError for a policy that the journal does not know."""
    if policy is not None and policy not in (known := reading.policy_names()):
        raise unknown("policy", policy, known, "policy_unknown")
