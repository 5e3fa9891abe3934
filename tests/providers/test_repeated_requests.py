"""Servers that send the request back, or half of an answer: nothing that is said of it repeats a secret."""

import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from clouds.azure_tokens import CLIENT
from clouds.mirror import MIRRORS, Half, Mirror, credentials
from clouds.serving import Endpoint, serving
from clouds.sigv4 import AccessKey
from support.azure_site import local_azure
from support.contract import target
from support.oci_site import local_oci
from support.powerdns import open_powerdns
from support.route53_site import local_route53
from support.servers import ZONE

from failoverd.core.errors import ProviderError
from failoverd.core.events import Level
from failoverd.ports import Provider
from failoverd.providers import azure_dns, powerdns
from failoverd.telemetry.logs import LogFormat, configure_logs

AT = target("api.example.test")
PATTERNED = 12
"""Characters in a row that cannot be there by chance."""

mirrors = pytest.mark.parametrize("mirror", MIRRORS.values(), ids=MIRRORS)


class Said:
    """Everything that a provider and its libraries say while it cannot read."""

    def __init__(self) -> None:
        self.log = io.StringIO()
        self.errors: list[ProviderError] = []

    async def read(self, provider: Provider) -> None:
        with pytest.raises(ProviderError) as caught:
            await provider.read(AT)
        self.errors.append(caught.value)

    def __str__(self) -> str:
        return self.log.getvalue() + "".join(f"{error.detail} {error.remedy}" for error in self.errors)


@contextmanager
def listening() -> Iterator[Said]:
    """With the logs of a daemon around it, at their most talkative."""
    said, root = Said(), logging.getLogger()
    before = root.level
    logs = configure_logs(LogFormat.TERMINAL, Level.INFO, said.log)
    root.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        root.setLevel(before)
        logs.close()


def standing_in(endpoint: Endpoint, mirror: Callable[..., object]) -> Mirror:
    """The mirror in place of the endpoint's cloud."""
    found = Mirror(endpoint.cloud, mirror)  # type: ignore[arg-type]  # one of MIRRORS
    endpoint.cloud = found
    return found


def assert_discreet(said: Said, mirror: Mirror) -> None:
    secrets = {secret for request in mirror.asked for secret in credentials(request)}
    assert secrets
    text = str(said)
    leaks = [
        secret
        for secret in secrets
        if any(secret[at : at + PATTERNED] in text for at in range(max(1, len(secret) - PATTERNED + 1)))
    ]
    assert leaks == [], text
    assert text.replace("\n", "").isprintable(), text
    assert said.errors[0].reason


# -- signing in to Azure -----------------------------------------------------------------------------------------------


@mirrors
@pytest.mark.parametrize("way", ["secret", "federated"])
async def test_an_authority_of_azure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: Callable[..., object], way: str
) -> None:
    with local_azure(tmp_path, monkeypatch) as azure, listening() as said:
        credential = azure.by_secret()
        if way == "federated":
            token = tmp_path / "federated"
            token.write_text("eyJhbGciOiJSUzI1NiJ9.a-federated-assertion.0123456789abcdef")
            credential = {"tenant_id": azure.cloud.directory.tenant, "client_id": CLIENT, "token_file": str(token)}
        login = standing_in(azure.site.login, mirror)
        async with azure.open(azure_dns.KIND, credential=credential) as provider:
            await said.read(provider)
        assert_discreet(said, login)


async def test_an_authority_of_azure_whose_answer_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with local_azure(tmp_path, monkeypatch) as azure, listening() as said:
        azure.site.login.cloud = Half(azure.site.login.cloud)
        async with azure.open(azure_dns.KIND) as provider:
            await said.read(provider)
    assert "eyJ" not in str(said)
    assert "access_token" not in str(said)


# -- the clouds --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def azure_manager(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mirror: Callable[..., object]
) -> AsyncIterator[tuple[Provider, Mirror]]:
    with local_azure(folder, monkeypatch) as azure:
        found = standing_in(azure.site.arm, mirror)
        async with azure.open(azure_dns.KIND) as provider:
            yield provider, found


@asynccontextmanager
async def aws(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mirror: Callable[..., object]
) -> AsyncIterator[tuple[Provider, Mirror]]:
    with local_route53(folder, monkeypatch) as local:
        local.hand_out(AccessKey("ASIALOCALEXAMPLE", "a secret for tests", "a-session-token-0123456789"))
        found = standing_in(local.endpoint, mirror)
        async with local.open() as provider:
            yield provider, found


@asynccontextmanager
async def oracle(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mirror: Callable[..., object]
) -> AsyncIterator[tuple[Provider, Mirror]]:
    with local_oci(folder, monkeypatch) as local:
        found = standing_in(local.endpoint, mirror)
        async with local.open() as provider:
            yield provider, found


@asynccontextmanager
async def power_dns(
    folder: Path, _: pytest.MonkeyPatch, mirror: Callable[..., object]
) -> AsyncIterator[tuple[Provider, Mirror]]:
    key = folder / "api-key"
    key.write_text("an-api-key-of-powerdns")
    found = Mirror(None, mirror)  # type: ignore[arg-type]  # there is no cloud behind it
    with serving(found) as endpoint:
        api = {"url": endpoint.url, "key_file": str(key)}
        said = {"kind": "powerdns", "zones": [ZONE], "timeout": "5s", "api": api}
        async with open_powerdns(powerdns.PowerdnsSettings.model_validate(said)) as provider:
            yield provider, found


Site = Callable[..., AbstractAsyncContextManager[tuple[Provider, Mirror]]]


@mirrors
@pytest.mark.parametrize("site", [azure_manager, aws, oracle, power_dns])
async def test_an_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site, mirror: Callable[..., object]
) -> None:
    with listening() as said:
        async with site(tmp_path, monkeypatch, mirror) as (provider, found):
            await said.read(provider)
        assert_discreet(said, found)
