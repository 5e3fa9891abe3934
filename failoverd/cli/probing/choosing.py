"""What TARGET means: which looks of which policies."""

from collections.abc import Mapping, Sequence

from failoverd.app import kinds
from failoverd.cli.failing import UNSOUND, unknown
from failoverd.cli.probing.looks import Look
from failoverd.config.loader import Config, load_policies
from failoverd.core.isolation import SENTINELS
from failoverd.core.records import Policy


def looks_of(config: Config, target: str, policy: str | None, check: str | None) -> list[Look]:
    """The looks that are asked for.

    Raises typer.BadParameter, with what was probably meant, for a name that nothing has.
    """
    found = load_policies(config, kinds(), running={})
    note = UNSOUND if found.rejected else ""
    looks = _within(policy, found.policies, config, note)
    chosen = _at(target, looks)
    if not chosen:
        known = (name for look in looks for name in _names(look))
        raise unknown("policy, region or endpoint", target, known, note, _as_url(target))
    if check is None:
        return chosen
    under = [look for look in chosen if look.check.name == check]
    if not under:
        raise unknown("check", check, (look.check.name for look in chosen))
    return under


def _within(wanted: str | None, policies: Mapping[str, Policy], config: Config, note: str) -> list[Look]:
    """All looks of one policy, or of all of them and of the sentinels."""
    if wanted is not None and wanted not in policies:
        raise unknown("policy", wanted, policies, note)
    chosen = policies.values() if wanted is None else (policies[wanted],)
    looks = [Look(policy.name, endpoint, check) for policy in chosen for endpoint, check in policy.looks()]
    sentinels = config.sentinels if wanted is None else ()
    return [*looks, *(Look(SENTINELS, each.endpoint, each.check) for each in sentinels)]


def _at(target: str, looks: Sequence[Look]) -> list[Look]:
    """A policy comes before a region, a region before an endpoint, should they have the same name."""
    by_policy = [look for look in looks if look.policy == target]
    by_region = [look for look in looks if look.endpoint.region == target]
    return by_policy or by_region or [look for look in looks if target.lower() in _endpoint_names(look)]


def _endpoint_names(look: Look) -> tuple[str, ...]:
    endpoint = look.endpoint
    return (endpoint.text, endpoint.address, endpoint.id, f"{endpoint.region}/{endpoint.address}")


def _names(look: Look) -> tuple[str, ...]:
    return (look.policy, look.endpoint.region, *_endpoint_names(look))


def _as_url(target: str) -> str:
    """What looks like a host is shown as the URL that it could be."""
    host = target if "." in target and target.isprintable() and "/" not in target else "host/path"
    return f"what no policy names is a URL, such as https://{host}"
