"""The ways to sign in to Azure, and secrets that change while failoverd runs."""

import asyncio
import datetime as dt
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing

import jwt
import pytest
from clouds.azure_client import private_key, public_key
from clouds.azure_tokens import CLIENT, FEDERATED_AUDIENCE, SECRET, Federation
from clouds.serving import Luck, Request, Response, serving
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from support.azure_site import LocalAzure
from support.contract import VALUES, approved, planned, publish, target, wish
from support.proxies import closed_port

from failoverd.core.errors import Permanent, Transient
from failoverd.core.records import RecordType
from failoverd.ports import Provider
from failoverd.providers.azure.tokens import Tokens
from failoverd.providers.azure_dns import KIND

EAST, WEST, _ = VALUES[RecordType.A]
AT = target("api.example.test")
ROTATED = "the-next-client-secret"


@asynccontextmanager
async def opened(azure: LocalAzure, **credential: object) -> AsyncIterator[Provider]:
    application = {"tenant_id": azure.cloud.directory.tenant, "client_id": CLIENT}
    async with azure.open(KIND, credential={**application, **credential}) as provider:
        yield provider


def logins(azure: LocalAzure) -> int:
    return azure.site.login.count("POST")


# -- each way ----------------------------------------------------------------------------------------------------------


async def test_by_client_secret(azure: LocalAzure) -> None:
    async with azure.open(KIND) as provider:
        await publish(provider, AT, EAST)


async def test_by_certificate(azure: LocalAzure) -> None:
    certificate = self_signed()
    azure.cloud.directory.apps[CLIENT].certificates.append(certificate)
    file = azure.folder / "application.pem"
    file.write_text(private_key() + certificate)
    async with opened(azure, certificate_file=str(file)) as provider:
        await publish(provider, AT, EAST)


async def test_a_clock_that_is_off_is_told_as_such(azure: LocalAzure) -> None:
    certificate = self_signed()
    azure.cloud.directory.apps[CLIENT].certificates.append(certificate)
    azure.cloud.directory.clock = lambda: time.time() + 7_200
    file = azure.folder / "application.pem"
    file.write_text(private_key() + certificate)
    async with opened(azure, certificate_file=str(file)) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
    assert caught.value.reason == "clock_skewed"
    assert "NTP" in caught.value.remedy


async def test_a_file_that_holds_no_certificate(azure: LocalAzure) -> None:
    file = azure.folder / "application.pem"
    file.write_text("a secret, by mistake")
    async with opened(azure, certificate_file=str(file)) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
    assert caught.value.reason == "credentials_invalid"
    assert "by mistake" not in str(caught.value)


async def test_by_a_federated_token_that_is_read_at_each_login(azure: LocalAzure) -> None:
    azure.cloud.directory.apps[CLIENT].federations.append(Federation("https://issuer", "failoverd", public_key()))
    file = azure.folder / "token"
    file.write_text(federated(lifetime=-3_600))
    async with opened(azure, token_file=str(file)) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
        assert caught.value.reason == "clock_skewed"
        file.write_text(federated())
        await publish(provider, AT, EAST)


async def test_by_managed_identity(azure: LocalAzure, metadata: "Metadata") -> None:
    async with azure.open(KIND, credential={"managed_identity": True, "client_id": CLIENT}) as provider:
        await publish(provider, AT, EAST)
    assert metadata.asked_for == [CLIENT]


async def test_by_the_standard_chain(azure: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", azure.cloud.directory.tenant)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
    async with azure.open(KIND, credential=None) as provider:
        await publish(provider, AT, EAST)
    assert logins(azure) == 1


async def test_nothing_to_sign_in_with(azure: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(azure.folder))  # where no `az` is
    with closed_port() as port:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{port}")
        async with azure.open(KIND, credential=None) as provider:
            with pytest.raises(Permanent) as caught:
                await provider.read(AT)
    assert caught.value.reason == "credentials_missing"
    assert "credential" in caught.value.remedy


# -- one token for all -------------------------------------------------------------------------------------------------


async def test_many_calls_at_once_share_one_token(azure: LocalAzure) -> None:
    async with azure.open(KIND) as provider:
        await asyncio.gather(*(publish(provider, target(f"n{number}.example.test"), EAST) for number in range(30)))
    assert logins(azure) == 1


async def test_a_token_that_ends_is_replaced_without_anybody_noticing(azure: LocalAzure) -> None:
    async with azure.open(KIND) as provider:
        await publish(provider, AT, EAST)
        azure.cloud.directory.clock = lambda: time.time() + 4_000
        plan = await publish(provider, AT, WEST)
        assert (await provider.read(AT)).marker == plan.marker
    assert logins(azure) == 2


async def test_a_revoked_token_is_replaced_in_the_middle_of_many_calls(azure: LocalAzure) -> None:
    async with azure.open(KIND) as provider:
        plans = [
            planned(await provider.read(at), wish(provider, at, EAST))
            for at in (target(f"n{number}.example.test") for number in range(20))
        ]
        azure.cloud.directory.revoke()
        await asyncio.gather(*(provider.apply(approved(plan)) for plan in plans))
    assert len([line for line in azure.cloud.records("n19.example.test") if EAST in line]) == 1
    assert logins(azure) == 2


# -- rotation ----------------------------------------------------------------------------------------------------------


async def test_a_secret_is_rotated_without_a_restart(azure: LocalAzure) -> None:
    app = azure.cloud.directory.apps[CLIENT]
    async with azure.open(KIND) as provider:
        await publish(provider, AT, EAST)
        app.secrets = {ROTATED: None}
        azure.hand_out(ROTATED)
        await publish(provider, AT, WEST)  # the token of the old secret is good for its hour
        assert logins(azure) == 1
        azure.cloud.directory.revoke()
        await publish(provider, AT, EAST)
    assert logins(azure) == 2


async def test_a_revoked_secret_stops_it_until_the_file_holds_another(azure: LocalAzure) -> None:
    app = azure.cloud.directory.apps[CLIENT]
    async with azure.open(KIND) as provider:
        await publish(provider, AT, EAST)
        app.secrets = {ROTATED: None}
        azure.cloud.directory.revoke()
        for _ in range(2):
            with pytest.raises(Permanent) as caught:
                await provider.read(AT)
            assert caught.value.reason == "credentials_invalid"
            assert SECRET not in str(caught.value)
        azure.hand_out(ROTATED)
        await publish(provider, AT, WEST)


@pytest.mark.parametrize("content", [None, "", " \n"])
async def test_a_secret_that_is_not_there_yet(azure: LocalAzure, content: str | None) -> None:
    file = azure.folder / "later"
    if content is not None:
        file.write_text(content)
    async with opened(azure, client_secret_file=str(file)) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(AT)
        assert caught.value.reason == "credentials_missing"
        assert str(file) in caught.value.detail
        file.write_text(SECRET)
        await publish(provider, AT, EAST)


# -- an authority in trouble -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("luck", "reason"),
    [(Luck.ERROR, "server_error"), (Luck.THROTTLE, "server_error"), (Luck.DROP_BEFORE, "connection_lost")],
)
async def test_a_login_that_fails_in_passing_is_tried_again(azure: LocalAzure, luck: Luck, reason: str) -> None:
    async with azure.open(KIND) as provider:
        azure.site.login.expect(luck, times=1_000)
        with pytest.raises(Transient) as caught:
            await provider.read(AT)
        assert caught.value.reason == reason
        azure.site.login.relent()
        await provider.read(AT)


def test_a_broken_new_secret_does_not_stop_what_the_token_of_the_old_one_can_do(azure: LocalAzure) -> None:
    now = time.time()
    tokens = Tokens(azure.settings(KIND), lambda: now)
    with closing(tokens):
        token = tokens.current()
        azure.hand_out("not-the-secret")
        now += 3_500
        assert tokens.current() == token
        now += 200
        with pytest.raises(Permanent) as caught:
            tokens.current()
    assert caught.value.reason == "credentials_invalid"
    assert logins(azure) == 3


async def test_an_authority_that_is_not_there(azure: LocalAzure) -> None:
    with closed_port() as port:
        async with azure.open(KIND, authority=f"https://127.0.0.1:{port}") as provider:
            with pytest.raises(Transient) as caught:
                await provider.read(AT)
    assert caught.value.reason == "connect_failed"


# -- what they sign in with --------------------------------------------------------------------------------------------


class Metadata:
    """The instance metadata service of a virtual machine, as far as it hands out tokens."""

    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure
        self.asked_for: list[str] = []

    def answer(self, request: Request) -> Response:
        if request.headers.get("metadata") != "true":
            return Response(400)
        client = request.query.get("client_id", "")
        self.asked_for.append(client)
        token = self._azure.cloud.directory.issue(client)
        said = {"access_token": token, "expires_in": "3600", "expires_on": str(int(time.time()) + 3_600),
                "resource": request.query["resource"], "token_type": "Bearer"}  # fmt: skip
        return Response(200, json.dumps(said).encode(), {"content-type": "application/json"})

    def throttled(self, retry_after: float | None) -> Response:
        return Response(429, headers={"retry-after": str(retry_after or 1)})


@pytest.fixture
def metadata(azure: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:
    service = Metadata(azure)
    with serving(service) as endpoint:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", endpoint.url)
        yield service


def federated(lifetime: float = 600) -> str:
    now = time.time()
    claims = {"iss": "https://issuer", "sub": "failoverd", "aud": FEDERATED_AUDIENCE, "iat": now - 7_200,
              "nbf": now - 7_200, "exp": now + lifetime}  # fmt: skip
    return jwt.encode(claims, private_key(), algorithm="RS256")


def self_signed() -> str:
    """A certificate of an application, PEM."""
    key = serialization.load_pem_private_key(private_key().encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "failoverd")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(),
                                      now - dt.timedelta(days=1), now + dt.timedelta(days=1))  # fmt: skip
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
