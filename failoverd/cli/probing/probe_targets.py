"""What TARGET means: which probes of which policies."""

from collections.abc import Mapping, Sequence

from failoverd.cli.failing import UNSOUND, unknown
from failoverd.cli.probing.probe_rounds import PlannedProbe
from failoverd.config.loader import Config, load_policies
from failoverd.core.health.isolation import SENTINELS
from failoverd.core.records import Policy
from failoverd.installed import kinds


def planned_probes(config: Config, target: str, policy: str | None, check: str | None) -> list[PlannedProbe]:
    """The probes that are asked for.

    Raises typer.BadParameter, with what was probably meant, for a name that nothing has.
    """
    found = load_policies(config, kinds(), running={})
    note = UNSOUND if found.rejected else ""
    probes = _within(policy, found.policies, config, note)
    chosen = _at(target, probes)
    if not chosen:
        known = (name for probe in probes for name in _names(probe))
        raise unknown("policy, region or endpoint", target, known, note, _as_url(target))
    if check is None:
        return chosen
    under = [probe for probe in chosen if probe.check.name == check]
    if not under:
        raise unknown("check", check, (probe.check.name for probe in chosen))
    return under


def _within(wanted: str | None, policies: Mapping[str, Policy], config: Config, note: str) -> list[PlannedProbe]:
    """All probes of one policy, or of all of them and of the sentinels."""
    if wanted is not None and wanted not in policies:
        raise unknown("policy", wanted, policies, note)
    chosen = policies.values() if wanted is None else (policies[wanted],)
    probes = [PlannedProbe(policy.name, endpoint, check) for policy in chosen for endpoint, check in policy.probes()]
    sentinels = config.sentinels if wanted is None else ()
    return [*probes, *(PlannedProbe(SENTINELS, each.endpoint, each.check) for each in sentinels)]


def _at(target: str, probes: Sequence[PlannedProbe]) -> list[PlannedProbe]:
    """A policy comes before a region, a region before an endpoint, should they have the same name."""
    by_policy = [probe for probe in probes if probe.policy == target]
    by_region = [probe for probe in probes if probe.endpoint.region == target]
    return by_policy or by_region or [probe for probe in probes if target.lower() in _endpoint_names(probe)]


def _endpoint_names(probe: PlannedProbe) -> tuple[str, ...]:
    endpoint = probe.endpoint
    return (endpoint.text, endpoint.address, endpoint.id, f"{endpoint.region}/{endpoint.address}")


def _names(probe: PlannedProbe) -> tuple[str, ...]:
    return (probe.policy, probe.endpoint.region, *_endpoint_names(probe))


def _as_url(target: str) -> str:
    """What looks like a host is shown as the URL that it could be."""
    host = target if "." in target and target.isprintable() and "/" not in target else "host/path"
    return f"what no policy names is a URL, such as https://{host}"
