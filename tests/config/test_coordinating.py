"""The other members in the daemon's configuration: what they are, and what of it is refused or worth a look."""

from pathlib import Path

import pytest
from support.commands import CONFIG
from support.manual import REAL_KINDS

from failoverd.config.coordinating import Coordination
from failoverd.config.diagnostics import Diagnostic
from failoverd.config.loader import Loaded, load_config
from failoverd.config.machine import lacking
from failoverd.config.schema.coordination import EtcdSettings, KubernetesSettings
from failoverd.core.members import Member, MemberRole, Uncoordinated

BIND = """\
  local: {kind: rfc2136, zones: [example.test], server: 192.0.2.53, key: {name: k.test, secret_file: tsig.key}}
"""
FILE = CONFIG.partition("  local:")[0] + BIND
ETCD = "  etcd: {endpoints: ['https://etcd-1.example.com:2379', 'https://etcd-2.example.com:2379']}\n"
MEMBERS = "  members: {azure-1: {network: azure}, oci-1: {network: oci}, aws-1: {network: aws, role: vantage}}\n"
NAMED = "  member: azure-1\n"
SOUND = ETCD + MEMBERS + NAMED
ALONE = (
    ETCD
    + NAMED
    + "  members: {azure-1: {network: a}, b: {network: b, role: vantage}, c: {network: c, role: vantage}}\n"
)
TWO = ETCD + NAMED + "  members: {azure-1: {network: a}, oci-1: {network: b}}\n"
ONE_NETWORK = ETCD + NAMED + "  members: {azure-1: {network: a}, b: {network: a}, c: {network: a}}\n"
OPEN = MEMBERS + NAMED + "  etcd: {endpoints: ['https://e', 'http://192.0.2.1:2379']}\n"
TRAFFIC_MANAGER = "kind: azure_traffic_manager, subscription: 00000000-0000-0000-0000-000000000000, resource_group: dns"
POWERDNS = "kind: powerdns, zones: [example.test], api: {url: 'https://pdns.example.com', key_file: k}"


def loaded(folder: Path, section: str, file: str = FILE) -> Loaded:
    path = folder / "failoverd.yaml"
    path.write_text(f"{file}coordination:\n{section}")
    return load_config(path, REAL_KINDS)


def coordination(folder: Path, section: str, file: str = FILE) -> Coordination:
    found = loaded(folder, section, file)
    assert found.config is not None, [each.render() for each in found.diagnostics]
    assert found.config.coordination is not None
    return found.config.coordination


def only(folder: Path, section: str, file: str = FILE) -> Diagnostic:
    (found,) = loaded(folder, section, file).diagnostics
    return found


def test_without_the_section_a_daemon_is_alone(tmp_path: Path) -> None:
    path = tmp_path / "failoverd.yaml"
    path.write_text(FILE)
    found = load_config(path, REAL_KINDS)
    assert found.config is not None
    assert found.config.coordination is None


def test_it_says_who_the_members_are_and_what_is_usual(tmp_path: Path) -> None:
    found = coordination(tmp_path, SOUND)
    assert found.members == (
        Member("aws-1", "aws", MemberRole.VANTAGE),
        Member("azure-1", "azure"),
        Member("oci-1", "oci"),
    )
    assert found.me == Member("azure-1", "azure")
    assert (found.lease, found.when_uncoordinated, found.probe_factor) == (20.0, Uncoordinated.HOLD, None)
    assert isinstance(found.engine, EtcdSettings)
    assert found.engine.endpoints[0] == "https://etcd-1.example.com:2379"
    assert found.engine.prefix == "/failoverd/tests/"
    assert loaded(tmp_path, SOUND).diagnostics == ()


def test_everything_can_be_said(tmp_path: Path) -> None:
    etcd = "  etcd: {endpoints: ['https://e:2379'], prefix: /dns/prod, user: failoverd, password_file: etcd.password, "
    etcd += "ca_file: ca.pem, cert_file: client.pem, key_file: client.key}\n"
    found = coordination(
        tmp_path, etcd + MEMBERS + NAMED + "  lease: 30s\n  when_uncoordinated: failing_out\n  probe_factor: 3\n"
    )
    assert isinstance(found.engine, EtcdSettings)
    assert (found.engine.prefix, found.engine.password_file) == ("/dns/prod/", tmp_path / "etcd.password")
    assert (found.lease, found.when_uncoordinated, found.probe_factor) == (30.0, Uncoordinated.FAILING_OUT, 3)


def test_members_can_agree_in_kubernetes(tmp_path: Path) -> None:
    found = coordination(tmp_path, "  kubernetes: {namespace: failoverd}\n" + MEMBERS + NAMED)
    assert found.engine == KubernetesSettings(namespace="failoverd")


@pytest.mark.parametrize(
    ("variable", "host", "member"),
    [
        ("oci-1", "azure-1", "oci-1"),
        (None, "azure-1", "azure-1"),
        (None, "AZURE-1.example.com", "azure-1"),
        ("gcp-1", "azure-1", ""),
        (None, "laptop", ""),
    ],
)
def test_who_does_not_say_it_is_called_by_the_variable_or_by_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None, host: str, member: str
) -> None:
    monkeypatch.delenv("FAILOVERD_MEMBER", raising=False)
    if variable is not None:
        monkeypatch.setenv("FAILOVERD_MEMBER", variable)
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert coordination(tmp_path, ETCD + MEMBERS).member == member


def test_a_machine_that_is_none_of_the_members_still_checks_the_file_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FAILOVERD_MEMBER", raising=False)
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    config = loaded(tmp_path, ETCD + MEMBERS).config
    assert config is not None
    (tmp_path / "tsig.key").write_text("secret")
    (found,) = lacking(config)
    assert (found.code.value, found.is_error) == ("FD506", False)
    assert 'the host is called "laptop"; the members are aws-1, azure-1, oci-1' in found.message
    assert "FAILOVERD_MEMBER" in found.hint


def test_the_files_that_etcd_needs_are_looked_for(tmp_path: Path) -> None:
    etcd = "  etcd: {endpoints: ['https://e:2379'], user: failoverd, password_file: nowhere.password}\n"
    config = loaded(tmp_path, etcd + MEMBERS + NAMED).config
    assert config is not None
    (tmp_path / "tsig.key").write_text("secret")
    (found,) = lacking(config)
    assert (found.code.value, found.is_error) == ("FD501", True)
    assert "nowhere.password" in found.message


def test_a_vantage_needs_no_credentials_of_providers(tmp_path: Path) -> None:
    config = loaded(tmp_path, ETCD + MEMBERS + "  member: aws-1\n").config
    assert config is not None
    assert list(lacking(config)) == []  # though tsig.key is nowhere


@pytest.mark.parametrize(
    ("section", "code", "words"),
    [
        (ETCD + MEMBERS + "  member: azure-2\n", "FD390", 'did you mean "azure-1"?'),
        (ETCD + NAMED + "  members: {azure-1: {network: a, role: vantage}}\n", "FD391", "nobody ever writes"),
        (SOUND + "  probe_factor: 4\n", "FD392", "by 4 members, and there are 3"),
        (SOUND + "  probe_factor: 0\n", "FD204", "greater than or equal to 1"),
        (SOUND + "  lease: 4s\n", "FD204", "4s is not within 5s and 5m"),
        (SOUND + "  lease: 7500ms\n", "FD204", "whole seconds"),
        (SOUND + "  lease: 20\n", "FD204", "a duration needs a unit"),
        (SOUND + "  when_uncoordinated: fail_out\n", "FD205", 'did you mean "failing_out"?'),
        (SOUND + "  leese: 20s\n", "FD201", 'did you mean "lease"?'),
        (MEMBERS + NAMED, "FD204", "neither etcd nor kubernetes: members agree in one place"),
        (SOUND + "  kubernetes: {}\n", "FD204", "both etcd and kubernetes"),
        (ETCD + NAMED, "FD202", 'lacks "members"'),
        (ETCD + NAMED + "  members: {azure-1: {}}\n", "FD202", 'lacks "network"'),
        (ETCD + "  members: {azure-1: {network: a}, azure-1: {network: b}}\n" + NAMED, "FD106", "azure-1"),
        (MEMBERS + NAMED + "  etcd: {endpoints: []}\n", "FD204", "at least 1"),
        (MEMBERS + NAMED + "  etcd: {endpoints: ['e:2379']}\n", "FD204", "is no address"),
        (MEMBERS + NAMED + "  etcd: {endpoints: ['https://e'], prefix: dns}\n", "FD204", "begins with a slash"),
        (MEMBERS + NAMED + "  etcd: {endpoints: ['https://e'], user: me}\n", "FD204", "user and password_file belong"),
        (MEMBERS + NAMED + "  etcd: {endpoints: ['https://e'], cert_file: c}\n", "FD204", "cert_file and key_file"),
        (
            MEMBERS + NAMED + "  etcd: {endpoints: ['http://192.0.2.1'], user: me, password_file: p}\n",
            "FD204",
            "a secret would go over the network",
        ),
        (MEMBERS + NAMED + "  etcd: {endpoints: ['https://me:pw@e']}\n", "FD209", "holds a secret"),
        (MEMBERS + NAMED + "  etcd: {endpoints: ['https://e'], password: abcdefg}\n", "FD209", "holds a secret"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(tmp_path: Path, section: str, code: str, words: str) -> None:
    found = loaded(tmp_path, section)
    assert found.config is None
    first = next(each for each in found.diagnostics if each.is_error)
    assert first.code.value == code, first.render()
    assert words in first.render()
    assert first.line > FILE.count("\n")
    assert "pw@" not in first.render()


@pytest.mark.parametrize(
    ("section", "code", "words"),
    [
        (ALONE, "FD480", "azure-1 alone may lead"),
        (TWO, "FD481", "neither outvotes the other"),
        (SOUND + "  probe_factor: 2\n", "FD481", "two members vote on each endpoint"),
        (SOUND + "  probe_factor: 1\n", "FD482", "by one member alone"),
        (ONE_NETWORK, "FD483", '"a"'),
        (OPEN, "FD484", "could read and change"),
    ],
)
def test_what_is_worth_a_look_is_said_and_loads(tmp_path: Path, section: str, code: str, words: str) -> None:
    found = only(tmp_path, section)
    assert (found.code.value, found.is_error) == (code, False), found.render()
    assert words in found.render()
    assert coordination(tmp_path, section)


@pytest.mark.parametrize("place", ["http://127.0.0.1:2379", "http://[::1]:2379", "http://localhost:2379"])
def test_etcd_on_this_machine_needs_no_tls(tmp_path: Path, place: str) -> None:
    assert loaded(tmp_path, f"  etcd: {{endpoints: ['{place}']}}\n" + MEMBERS + NAMED).diagnostics == ()


def test_a_request_that_may_outlast_half_the_lease_is_refused_with_what_would_do(tmp_path: Path) -> None:
    slow = FILE.replace("server: 192.0.2.53", "server: 192.0.2.53, timeout: 5s")
    found = only(tmp_path, SOUND + "  lease: 10s\n", slow)
    assert (found.code.value, found.is_error) == ("FD393", True)
    assert "a request to local may take 5s" in found.message
    assert "make the lease longer than 10s, or the timeout of local shorter" in found.render()
    assert loaded(tmp_path, SOUND + "  lease: 11s\n", slow).diagnostics == ()


def test_the_usual_lease_is_refused_where_the_section_begins(tmp_path: Path) -> None:
    found = only(tmp_path, SOUND, FILE.replace("server: 192.0.2.53", "server: 192.0.2.53, timeout: 10s"))
    assert found.line == FILE.count("\n") + 1


def test_a_provider_that_lives_in_each_daemon_is_refused_where_several_may_lead(tmp_path: Path) -> None:
    found = only(tmp_path, SOUND, CONFIG)
    assert (found.code.value, found.is_error) == ("FD394", True)
    assert "local (embedded) lives in each daemon: every member would answer by itself" in found.message
    assert [each.code.value for each in loaded(tmp_path, ALONE, CONFIG).diagnostics] == ["FD480"]


@pytest.mark.parametrize(
    "unfenced",
    [TRAFFIC_MANAGER, POWERDNS],
)
def test_where_each_fails_out_alone_a_provider_without_a_fence_holds_and_that_is_said(
    tmp_path: Path, unfenced: str
) -> None:
    file = CONFIG.partition("  local:")[0] + f"  local: {{{unfenced}}}\n"
    assert loaded(tmp_path, SOUND, file).diagnostics == ()
    found = only(tmp_path, SOUND + "  when_uncoordinated: failing_out\n", file)
    assert (found.code.value, found.is_error) == ("FD485", False)
    assert "has no fence: while nobody can lead, it is not written to" in found.message
