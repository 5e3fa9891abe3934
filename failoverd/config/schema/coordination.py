"""What the daemon's configuration can say of the other members, and of where they agree."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from failoverd.config.values import DURATION, Name, Text, within
from failoverd.core.members import MemberRole, Uncoordinated
from failoverd.outgoing import parse_url, require_tls
from failoverd.settings import FilePath, Settings, parse_duration

MOST_MEMBERS = 16
_MAX_ENDPOINTS = 16
_PREFIX = re.compile(r"/[\x21-\x7e]{0,199}")


def _member_of_etcd(value: str) -> str:
    if re.search(r"://[^/]*@", value):
        raise ValueError("a URL with a password in it does not belong in this file: write user and password_file")
    return parse_url(value)


EtcdUrl = Annotated[
    str,
    AfterValidator(_member_of_etcd),
    WithJsonSchema({"type": "string", "pattern": "^https?://", "examples": ["https://etcd-1.example.com:2379"]}),
]


def _folder(value: str) -> str:
    """Two installations of which one's prefix begins the other's would see each other's keys: so it ends with a /."""
    if not _PREFIX.fullmatch(value):
        raise ValueError('it begins with a slash and has no spaces: write it like "/failoverd/prod/"')
    return value if value.endswith("/") else f"{value}/"


class EtcdSettings(Settings):
    """An etcd cluster, asked by the JSON gateway of its members (etcd 3.4 or later)."""

    model_config = ConfigDict(hide_input_in_errors=True)

    endpoints: tuple[EtcdUrl, ...] = Field(
        min_length=1,
        max_length=_MAX_ENDPOINTS,
        strict=False,
        description="addresses of its members; one that does not answer is left for the next",
    )
    prefix: Annotated[str, AfterValidator(_folder)] | None = Field(
        default=None, description="what every key begins with; /failoverd/ and the owner without it"
    )
    user: Text | None = Field(default=None, description="who asks, where etcd has authentication enabled")
    password_file: FilePath | None = Field(
        default=None, description="file with the user's password alone; read anew at each sign-in"
    )
    ca_file: FilePath | None = Field(default=None, description="certificates to trust instead of the system's (PEM)")
    cert_file: FilePath | None = Field(
        default=None, description="client certificate with its chain (PEM); read anew when it changes"
    )
    key_file: FilePath | None = Field(default=None, description="its private key (PEM), without a passphrase")

    @model_validator(mode="after")
    def _secrets_are_safe(self) -> Self:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file belong together: write both")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together: write both")
        if self.password_file is not None:
            for each in self.endpoints:
                require_tls(each)
        return self


class KubernetesSettings(Settings):
    """A Lease and ConfigMaps of the cluster that this member runs in, asked with its service account."""

    namespace: Name | None = Field(default=None, description="where they are; the pod's own without it")


class MemberEntry(Settings):
    """One daemon of this installation."""

    network: Name = Field(description="what it shares with members that fail with it: a cloud, a carrier")
    role: MemberRole = Field(
        default=MemberRole.MEMBER,
        strict=False,
        description="member: it may lead; vantage: it probes and votes, nothing else",
    )


def _whole(value: object) -> float:
    """Engines count leases in whole seconds: what they would round down ends before its holder thinks that it does."""
    seconds = within("5s", "5m")(parse_duration(value))
    if seconds % 1:
        raise ValueError("a lease is counted in whole seconds")
    return seconds


Lease = Annotated[
    float,
    BeforeValidator(_whole),
    WithJsonSchema({"type": "string", "pattern": f"^{DURATION}$", "examples": ["20s"]}),
]


class CoordinationEntry(Settings):
    """Several daemons that watch together, of which one writes. The same in the file of each of them."""

    etcd: EtcdSettings | None = Field(default=None, description="the members agree in an etcd cluster")
    kubernetes: KubernetesSettings | None = Field(
        default=None, description="the members agree in the Kubernetes cluster that all of them run in"
    )
    member: Name | None = Field(
        default=None, description="which of the members this daemon is; $FAILOVERD_MEMBER, or else the host's name"
    )
    members: dict[Name, MemberEntry] = Field(
        min_length=1, max_length=MOST_MEMBERS, description="all of them, by name, the same in each file"
    )
    lease: Lease = Field(default=20.0, description="how long a member's silence lasts before another one may lead")
    when_uncoordinated: Uncoordinated = Field(
        default=Uncoordinated.HOLD,
        strict=False,
        description="while nobody can lead: hold, or failing_out: each still takes traffic off what it sees down",
    )
    probe_factor: int | None = Field(
        default=None, ge=1, le=MOST_MEMBERS, description="how many members probe each endpoint; all without it"
    )

    @model_validator(mode="after")
    def _agree_in_one_place(self) -> Self:
        if (self.etcd is None) == (self.kubernetes is None):
            said = "neither etcd nor kubernetes" if self.etcd is None else "both etcd and kubernetes"
            raise ValueError(f"it says {said}: members agree in one place")
        return self
