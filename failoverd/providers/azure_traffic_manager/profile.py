"""A Traffic Manager profile as failoverd reads it: which endpoints answer, how much, and who owns the name.

An endpoint is an answer when it is enabled; a disabled one has no share and stays for the next time. What an endpoint
answers with is its target: an address (A, AAAA) or a host name (CNAME).

Nested endpoints are profiles of their own. failoverd never touches one. While it is enabled it takes traffic that no
policy could state, so the name is reported as somebody else's until the nested endpoint is disabled or gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from failoverd.core.errors import Permanent
from failoverd.core.records import Marker, Observed, RecordSet, RecordType, Target

MARKER_TAG: Final = "failoverd"
"""The tag that holds the marker."""

WRITER_TAG: Final = "failoverd-writer"
"""The tag that holds the name of the one write that is at it, or was last: see `steering.py`."""

_NESTED: Final = "disable the nested endpoint, or take the name out of the policy"
_OTHER_ROUTING: Final = "set the profile's routing method to Weighted, or take the name out of the policy"
_OTHER_TYPE: Final = "delete the endpoints of the other type, or change the record type in the policy"

EXTERNAL: Final = "externalEndpoints"
WEIGHTED: Final = "Weighted"
MAX_WEIGHT: Final = 1_000
MAX_ANSWERS: Final = 200
"""Endpoints in one profile ("Azure subscription and service limits", Traffic Manager limits)."""


@dataclass(frozen=True, slots=True)
class ProfileEndpoint:
    """One endpoint. `kind` is `azureEndpoints`, `externalEndpoints` or `nestedEndpoints`, in whatever case."""

    name: str
    kind: str
    target: str
    enabled: bool
    weight: int

    @property
    def nested(self) -> bool:
        return self.kind.lower() == "nestedendpoints"

    @property
    def left_alone(self) -> bool:
        """Whether failoverd never touches it: it is nested, or the resource that it stood for is gone."""
        return self.nested or not self.target

    @property
    def value(self) -> str:
        """What it answers with, in the form that failoverd keeps."""
        try:
            return ip_address(self.target).compressed
        except ValueError:
            return self.target.lower().removesuffix(".")

    @property
    def type(self) -> RecordType:
        try:
            version = ip_address(self.target).version
        except ValueError:
            return RecordType.CNAME
        return RecordType.A if version == 4 else RecordType.AAAA  # noqa: PLR2004 - of the Internet Protocol


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile.

    `fqdn` is the name that it answers for, in the form that failoverd keeps; `relative_name` is what of it is said when
    its DNS settings are written.
    """

    name: str
    fqdn: str
    relative_name: str
    enabled: bool
    routing: str
    ttl: int
    tags: Mapping[str, str]
    endpoints: tuple[ProfileEndpoint, ...]

    @property
    def writer(self) -> str:
        return self.tags.get(WRITER_TAG, "")

    @property
    def endpoint_names(self) -> frozenset[str]:
        return frozenset(endpoint.name for endpoint in self.endpoints)

    @property
    def answering(self) -> tuple[ProfileEndpoint, ...]:
        """The enabled endpoints."""
        return tuple(endpoint for endpoint in self.endpoints if endpoint.enabled)

    def answers(self) -> dict[str, int]:
        """The weight of each value. Of several endpoints with one target (which Azure refuses now) it is the sum."""
        weights: dict[str, int] = {}
        for endpoint in self.answering:
            if not endpoint.left_alone:
                weights[endpoint.value] = weights.get(endpoint.value, 0) + endpoint.weight
        return weights


def observe(target: Target, profile: Profile) -> Observed:
    """What the profile means for the target.

    Raises:
        Permanent: it is switched off as a whole.
    """
    _usable(target, profile)
    text = profile.tags.get(MARKER_TAG)
    marker = Marker.parse(text) if text is not None else None
    foreign = _foreign(target, profile)
    weights = profile.answers()
    records = RecordSet.of(target.key, profile.ttl, weights) if weights and not foreign else None
    return Observed(target, records, marker, text, foreign, cure=_cure(profile) if foreign else "")


def _cure(profile: Profile) -> str:
    if profile.routing != WEIGHTED:
        return _OTHER_ROUTING
    return _NESTED if any(endpoint.nested for endpoint in profile.answering) else _OTHER_TYPE


def _foreign(target: Target, profile: Profile) -> tuple[str, ...]:
    """What answers beside ours, or instead: endpoints are of one type, and have shares by weight alone."""
    if profile.routing != WEIGHTED:
        return (f"{target.key.type} (routed by {profile.routing})",)
    steered = {endpoint.type.value for endpoint in profile.endpoints if not endpoint.left_alone}
    nested = {f"the nested profile {endpoint.name}" for endpoint in profile.answering if endpoint.nested}
    return tuple(sorted((steered - {target.key.type.value}) | nested))


def _usable(target: Target, profile: Profile) -> None:
    if not profile.enabled:
        raise Permanent(
            f"the Traffic Manager profile {profile.name} of {target.key.name} is disabled: it answers nothing",
            reason="profile_disabled",
            remedy="enable the profile when it is to answer; failoverd does not undo what somebody switched off",
        )
