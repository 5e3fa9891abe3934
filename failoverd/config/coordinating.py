"""How the members of an installation fit together, and with their providers."""

import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from failoverd.config.diagnostics import Code, Diagnostic, Severity, shown, suggestion
from failoverd.config.documents import Document
from failoverd.config.drafts import ProviderEntry
from failoverd.config.schema.coordination import CoordinationEntry, EtcdSettings, KubernetesSettings
from failoverd.config.tree import Place
from failoverd.config.values import say_duration
from failoverd.core.members import Member, Membership, Uncoordinated
from failoverd.outgoing import is_here

MEMBER_VARIABLE: Final = "FAILOVERD_MEMBER"
"""Says which member a daemon is whose file does not: then all of them can have the very same file."""

_PLACE: Final = ("coordination",)
_TWO: Final = 2


@dataclass(frozen=True, slots=True)
class Coordination:
    """The members of an installation, and where they agree. Times are seconds.

    Attributes:
        member: which of them this daemon is; empty where neither the file nor this machine says so.
        members: all of them, by name.
        lease: for how long what a member holds stays when it is silent.
        when_uncoordinated: what they do while nobody can lead.
        probe_factor: how many members probe each endpoint; None: all of them.
        engine: where they agree.
    """

    member: str
    members: tuple[Member, ...]
    lease: float
    when_uncoordinated: Uncoordinated
    probe_factor: int | None
    engine: EtcdSettings | KubernetesSettings

    @property
    def me(self) -> Member | None:
        """This daemon."""
        return next((each for each in self.members if each.name == self.member), None)

    @property
    def membership(self) -> Membership | None:
        """This daemon among the others."""
        me = self.me
        return Membership(me, self.members, self.when_uncoordinated, self.probe_factor) if me is not None else None

    @property
    def may_lead(self) -> bool:
        """Whether this daemon may write; also said where nobody knows which of them it is."""
        return self.me is None or self.me.may_lead


def coordination_of(entry: CoordinationEntry, owner: str) -> Coordination:
    """What the section says, with what it leaves to the machine."""
    members = tuple(Member(name, each.network, each.role) for name, each in sorted(entry.members.items()))
    engine: EtcdSettings | KubernetesSettings | None = entry.kubernetes
    if entry.etcd is not None:
        prefix = entry.etcd.prefix or f"/failoverd/{owner}/"
        engine = entry.etcd.model_copy(update={"prefix": prefix})
    if engine is None:
        raise AssertionError("the model asks for one of them")
    named = entry.member or _of_machine(entry)
    return Coordination(named, members, entry.lease, entry.when_uncoordinated, entry.probe_factor, engine)


def _of_machine(entry: CoordinationEntry) -> str:
    """Who this machine says that it is, where that is a member; the variable goes before the name of the host."""
    host = socket.gethostname().lower()
    said = [os.environ[MEMBER_VARIABLE]] if os.environ.get(MEMBER_VARIABLE) else [host, host.partition(".")[0]]
    return next((each for each in said if each in entry.members), "")


def unsaid() -> str:
    """Why nobody knows which member the daemon of this machine is, in words."""
    said = os.environ.get(MEMBER_VARIABLE)
    what = f"{MEMBER_VARIABLE} is {shown(said)}" if said else f"the host is called {shown(socket.gethostname())}"
    return f"nothing says which of the members this machine is: {what}"


def misfits(
    entry: CoordinationEntry, document: Document, providers: Mapping[str, ProviderEntry]
) -> Iterator[Diagnostic]:
    """What of it contradicts itself or the providers, and what is worth a look."""
    yield from _about_members(entry, document)
    yield from _about_votes(entry, document)
    yield from _about_lease(entry, document, providers)
    yield from _about_providers(entry, document, providers)
    yield from _about_engine(entry, document)


def _about_members(entry: CoordinationEntry, document: Document) -> Iterator[Diagnostic]:
    if entry.member is not None and entry.member not in entry.members:
        message = f"{shown(entry.member)} is none of the members"
        hint = suggestion(entry.member, sorted(entry.members))
        yield document.diagnose(Code.MEMBER_UNKNOWN, (*_PLACE, "member"), message, hint)
    leading = _leading(entry)
    if not leading:
        message = "every member is a vantage, so that nobody ever writes"
        hint = "leave `role: vantage` out for those that may lead"
        yield document.diagnose(Code.NOBODY_LEADS, (*_PLACE, "members"), message, hint, key=True)
    if len(leading) == 1:
        message = f"{leading[0]} alone may lead: while it is away, nobody writes"
        hint = "give a second member, in another network, the role of a member"
        yield _warned(document, Code.LEADER_ALONE, (*_PLACE, "members"), message, hint)


def _about_votes(entry: CoordinationEntry, document: Document) -> Iterator[Diagnostic]:
    factor, members = entry.probe_factor, len(entry.members)
    if factor is not None and factor > members:
        message = f"each endpoint is to be probed by {factor} members, and there are {members}"
        hint = "leave probe_factor out: then all of them probe everything"
        yield document.diagnose(Code.PROBE_FACTOR, (*_PLACE, "probe_factor"), message, hint)
        return
    place = (*_PLACE, "members" if factor is None else "probe_factor")
    voters = members if factor is None else factor
    if members == 1:
        return
    if voters == 1:
        message = "each endpoint is probed by one member alone, so that nobody contradicts it"
        yield _warned(document, Code.VOTE_ALONE, place, message, "three see it when one of them is wrong")
    elif voters % _TWO == 0:
        message = (
            "two members vote on each endpoint, and neither outvotes the other"
            if voters == _TWO
            else f"{voters} members vote on each endpoint, and half of them does not outvote the other half"
        )
        hint = f"an odd number bears as many faults with fewer probes: {voters + 1 if voters == _TWO else voters - 1}"
        yield _warned(document, Code.VOTERS_EVEN, place, message, hint)
    networks = {each.network for each in entry.members.values()}
    if len(networks) == 1:
        message = f"all members are in the network {shown(*networks)}, and go or err together with it"
        hint = "have members in several networks, and give each its `network`"
        yield _warned(document, Code.ONE_NETWORK, (*_PLACE, "members"), message, hint)


def _about_lease(
    entry: CoordinationEntry, document: Document, providers: Mapping[str, ProviderEntry]
) -> Iterator[Diagnostic]:
    """A write that began while the lease was good has to be over before somebody else may lead."""
    patience = {name: each.settings.patience for name, each in providers.items()}
    slowest = max(patience, key=lambda name: patience[name], default="")
    if slowest and patience[slowest] >= entry.lease / 2:
        longest = say_duration(patience[slowest])
        message = (
            f"a request to {slowest} may take {longest}, so that a write could still be under way when the lease "
            f"of {say_duration(entry.lease)} is over and another member leads"
        )
        hint = f"make the lease longer than {say_duration(2 * patience[slowest])}, or the timeout of {slowest} shorter"
        place = (*_PLACE, "lease") if "lease" in entry.model_fields_set else _PLACE
        yield document.diagnose(Code.LEASE_SHORT, place, message, hint, key=place == _PLACE)


def _about_providers(
    entry: CoordinationEntry, document: Document, providers: Mapping[str, ProviderEntry]
) -> Iterator[Diagnostic]:
    several = len(_leading(entry)) > 1
    for name, provider in providers.items():
        place = ("providers", name, "kind")
        if several and provider.kind.in_daemon:
            message = f"{name} ({provider.kind.name}) lives in each daemon: every member would answer by itself"
            hint = "let a server that all members can write to answer for its zones, or let one member alone lead"
            yield document.diagnose(Code.PROVIDER_APART, place, message, hint)
        elif entry.when_uncoordinated is Uncoordinated.FAILING_OUT and not provider.fenced:
            message = f"{name} ({provider.kind.name}) has no fence: while nobody can lead, it is not written to"
            hint = "its records hold then, what is down included; a provider with a fence is failed out all the same"
            yield _warned(document, Code.HOLDS_UNFENCED, place, message, hint)


def _about_engine(entry: CoordinationEntry, document: Document) -> Iterator[Diagnostic]:
    for number, each in enumerate(entry.etcd.endpoints if entry.etcd is not None else ()):
        parts = urlsplit(each)
        if parts.scheme != "https" and not is_here(parts.hostname or ""):
            message = "whoever is on the way could read and change what members tell each other, who leads included"
            hint = "write https://, with ca_file, and have etcd ask for client certificates (cert_file, key_file)"
            yield _warned(document, Code.COORDINATION_OPEN, (*_PLACE, "etcd", "endpoints", number), message, hint)


def _leading(entry: CoordinationEntry) -> list[str]:
    return [name for name, each in entry.members.items() if Member(name, each.network, each.role).may_lead]


def _warned(document: Document, code: Code, place: Place, message: str, hint: str) -> Diagnostic:
    return document.diagnose(code, place, message, hint, key=isinstance(place[-1], str), severity=Severity.WARNING)
