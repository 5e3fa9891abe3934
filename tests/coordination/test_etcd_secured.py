"""An etcd that speaks TLS, asks for certificates, and knows who may do what: opened as the daemon opens it."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from support.etcd import Etcd, Secured, etcd
from support.manual import REAL_KINDS

from failoverd.assembly import coordinator_of
from failoverd.config.loader import load_config
from failoverd.core.errors import ConfigError, CoordinationError
from failoverd.ports import Coordinator

pytestmark = pytest.mark.server

PASSWORD = "correct-horse-battery"  # noqa: S105 - nobody else's


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Secured:
    return Secured(tmp_path_factory.mktemp("etcd-tls"))


@pytest.fixture(scope="module")
def cluster(secured: Secured) -> Iterator[Etcd]:
    with etcd(secured=secured) as found:
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Etcd, Secured]]:
    """With authentication: the user `failoverd` may read and write below /failoverd/tests/."""
    secured = Secured(tmp_path_factory.mktemp("etcd-auth"))
    with etcd(secured=secured) as found:
        let_in(found, secured)
        yield found, secured


def let_in(found: Etcd, secured: Secured) -> None:
    for said in (
        f"user add root:{PASSWORD}",
        f"user add failoverd:{PASSWORD}",
        "role add members",
        "role grant-permission members readwrite --prefix=true /failoverd/tests/",
        "user grant-role failoverd members",
        "user grant-role root root",
        "auth enable",
    ):
        etcdctl(found, secured, said)


def etcdctl(found: Etcd, secured: Secured, said: str) -> None:
    certificate, key = secured.certificate("client")
    tls = ["--cacert", str(secured.ca_file), "--cert", str(certificate), "--key", str(key)]
    words = said.split(" ", 2) if said.startswith("user add") else said.split()
    command = ["etcdctl", "--endpoints", found.endpoints[0], *tls, *words]
    subprocess.run(
        command, check=True, capture_output=True, timeout=20, env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"}
    )


@asynccontextmanager
async def opened(found: Etcd, folder: Path, more: str, member: str = "azure-1") -> AsyncIterator[Coordinator]:
    bind = "{kind: rfc2136, zones: [example.com], server: 192.0.2.53, key: {name: k.test, secret_file: k}}"
    path = folder / "failoverd.yaml"
    path.write_text(
        f"version: 1\nowner: tests\npolicies: policies\nproviders: {{bind: {bind}}}\n"
        "coordination:\n"
        f"  etcd: {{endpoints: ['{found.endpoints[0]}']{more}}}\n"
        "  members: {azure-1: {network: azure}, oci-1: {network: oci}, aws-1: {network: aws}}\n"
        f"  member: {member}\n"
        "  lease: 5s\n"
    )
    loaded = load_config(path, REAL_KINDS)
    assert loaded.config is not None, [each.render() for each in loaded.diagnostics]
    async with AsyncExitStack() as stack:
        coordinator = await coordinator_of(loaded.config, stack)
        assert coordinator is not None
        yield coordinator


def shown(secured: Secured) -> str:
    certificate, key = secured.certificate("client")
    return f", ca_file: {secured.ca_file}, cert_file: {certificate}, key_file: {key}"


async def test_a_member_shows_its_certificate_and_leads(cluster: Etcd, secured: Secured, tmp_path: Path) -> None:
    async with opened(cluster, tmp_path, shown(secured)) as member:
        assert (await member.campaign()).mine
        await member.resign()


async def test_without_a_certificate_nobody_listens_and_that_is_said(
    cluster: Etcd, secured: Secured, tmp_path: Path
) -> None:
    async with opened(cluster, tmp_path, f", ca_file: {secured.ca_file}") as member:
        with pytest.raises(CoordinationError, match=r"127\.0\.0\.1:\d+"):
            await member.campaign()


async def test_who_is_signed_for_by_nobody_that_is_trusted_is_told_nothing(cluster: Etcd, tmp_path: Path) -> None:
    certificate, key = Secured(tmp_path).certificate("client")
    ours = f", ca_file: {tmp_path / 'ca.pem'}, cert_file: {certificate}, key_file: {key}"
    async with opened(cluster, tmp_path, ours) as member:
        with pytest.raises(CoordinationError, match="is not good") as caught:
            await member.campaign()
    assert caught.value.reason == "certificate"
    assert "ca_file" in caught.value.remedy


async def test_a_certificate_that_is_replaced_is_shown_without_a_restart(
    cluster: Etcd, secured: Secured, tmp_path: Path
) -> None:
    """Half of a rotation, a certificate without its key, leaves what was shown before."""
    async with opened(cluster, tmp_path, shown(secured)) as member:
        assert (await member.campaign()).mine
        certificate, key = secured.certificate("client")
        before = key.read_bytes()
        secured.issue("client", "failoverd-2")
        after = key.read_bytes()
        key.write_bytes(before)
        assert (await member.campaign()).mine
        key.write_bytes(after)
        assert (await member.campaign()).mine
        await member.resign()
    assert certificate.exists()


async def test_a_file_that_is_not_there_is_named_with_what_to_do(cluster: Etcd, tmp_path: Path) -> None:
    async with opened(cluster, tmp_path, f", ca_file: {tmp_path / 'nowhere.pem'}") as member:
        with pytest.raises(CoordinationError, match=r"nowhere\.pem") as caught:
            await member.campaign()
    assert caught.value.reason == "ca_unreadable"


async def test_a_user_signs_in_with_a_password_from_a_file(guarded: tuple[Etcd, Secured], tmp_path: Path) -> None:
    found, secured = guarded
    password = tmp_path / "etcd.password"
    password.write_text("something-else")
    who = f"{shown(secured)}, user: failoverd, password_file: {password}"
    async with opened(found, tmp_path, who) as member:
        with pytest.raises(CoordinationError) as caught:
            await member.campaign()
        assert "password_file" in caught.value.remedy
        password.write_text(f"{PASSWORD}\n")  # a correction needs no restart
        mine = await member.campaign()
        assert mine.mine
        assert await member.replace("states/shop", b"1", after=0, epoch=mine.epoch)
        await member.publish("votes/azure-1", b"well")
        assert set((await member.entries(""))[0]) == {"leader", "states/shop", "votes/azure-1"}


@pytest.mark.parametrize("cut_short", [False, True])
async def test_who_has_signed_in_goes_on_where_an_older_state_is_put_back(tmp_path: Path, cut_short: bool) -> None:
    """etcd keeps who asks by a token of a time that is over waiting, for ever; and callers may not wait so long."""
    secured = Secured(tmp_path)
    (tmp_path / "etcd.password").write_text(PASSWORD)
    who = f"{shown(secured)}, user: failoverd, password_file: {tmp_path}/etcd.password"
    with etcd(secured=secured) as found:
        let_in(found, secured)
        found.back_up()
        async with opened(found, tmp_path, f"{who}, prefix: /failoverd/tests/before/") as other:
            for number in range(50):
                await other.replace(f"words/{number}", b"1", after=0)
        async with opened(found, tmp_path, who) as member:
            assert (await member.campaign()).mine
            found.put_back()
            assert await leads(member, 1.25 if cut_short else 5.0)


async def leads(member: Coordinator, patience: float) -> bool:
    """Whether it does within some tries, of which each is waited for so long."""
    for _ in range(15):
        with suppress(CoordinationError, TimeoutError):
            async with asyncio.timeout(patience):
                if (await member.campaign()).mine:
                    return True
    return False


async def test_a_certificate_that_the_gateway_takes_for_a_user_is_told_with_what_to_do(
    guarded: tuple[Etcd, Secured], tmp_path: Path
) -> None:
    found, secured = guarded
    (tmp_path / "etcd.password").write_text(PASSWORD)
    secured.issue("named", "failoverd", common_name="failoverd")
    certificate, key = secured.certificate("named")
    who = f", ca_file: {secured.ca_file}, cert_file: {certificate}, key_file: {key}"
    async with opened(found, tmp_path, f"{who}, user: failoverd, password_file: {tmp_path}/etcd.password") as member:
        with pytest.raises(CoordinationError, match="CommonName of client") as caught:
            await member.campaign()
    assert "a certificate without a common name" in caught.value.remedy


async def test_a_user_reads_and_writes_below_its_prefix_alone(guarded: tuple[Etcd, Secured], tmp_path: Path) -> None:
    found, secured = guarded
    password = tmp_path / "etcd.password"
    password.write_text(PASSWORD)
    who = f"{shown(secured)}, prefix: /others/, user: failoverd, password_file: {password}"
    async with opened(found, tmp_path, who) as member:
        with pytest.raises(CoordinationError, match="permission denied"):
            await member.campaign()


async def test_who_is_none_of_the_members_does_not_begin(
    cluster: Etcd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FAILOVERD_MEMBER", raising=False)
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    path = tmp_path / "failoverd.yaml"
    bind = "{kind: rfc2136, zones: [example.com], server: 192.0.2.53, key: {name: k.test, secret_file: k}}"
    path.write_text(
        f"version: 1\nowner: tests\npolicies: policies\nproviders: {{bind: {bind}}}\ncoordination:\n"
        f"  etcd: {{endpoints: ['{cluster.endpoints[0]}']}}\n  members: {{azure-1: {{network: azure}}}}\n"
    )
    config = load_config(path, REAL_KINDS).config
    assert config is not None
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigError, match='the host is called "laptop"') as caught:
            await coordinator_of(config, stack)
    assert caught.value.reason == "member_unknown"
