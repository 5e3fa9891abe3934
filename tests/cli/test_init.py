"""`failoverctl init`: what it writes loads, says why, and is there as a whole or not at all."""

import asyncio
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from support.asked import terminal
from support.commands import Ended, failoverctl
from support.daemons import EAST, NAME, WEST, Site
from support.manual import REAL_KINDS
from support.plain_terminal import on_plain_terminal
from support.servers import ZONE, DnsServer, free_port

from failoverd.cli.demo.surroundings import DemoRegion
from failoverd.cli.starting import answers, new_files
from failoverd.config import machine
from failoverd.config.loader import load_config, load_policies
from failoverd.config.validation import known_keys
from failoverd.core.records import Policy

FINE, FAILED, USAGE, PENDING, INTERRUPTED = 0, 1, 2, 10, 130
FILES = ["failoverd.yaml", "policies", "policies/regions.yaml", "policies/www.yaml"]
REGIONS = ("--region", "azure-eastus=192.0.2.10,192.0.2.11", "--region", "oci-ashburn=198.51.100.10")
COMMON = ("--zone", "example.com", "--record", "www.example.com", *REGIONS, "--check", "/health")
AZURE = ("--set", f"subscription={'0' * 8}-0000-0000-0000-{'0' * 12}", "--set", "resource_group=dns")
APPLICATION = ("tenant_id=example.com", f"client_id={'0' * 8}-0000-0000-0000-{'0' * 12}", "client_secret_file=secret")
SECRET = tuple(word for each in APPLICATION for word in ("--set", f"credential.{each}"))
SAID: dict[str, tuple[str, ...]] = {
    "rfc2136": COMMON,
    "powerdns": COMMON,
    "powerdns with updates": ("--set", "server=192.0.2.53", *COMMON),
    "route53": COMMON,
    "route53 with a file": ("--set", "credentials_file=secret", *COMMON),
    "azure_dns": (*AZURE, *COMMON),
    "azure_dns with a secret": (*AZURE, *SECRET, *COMMON),
    "azure_traffic_manager": (*AZURE, "--record", "shop.trafficmanager.net", *REGIONS, "--check", "/health"),
    "oci_dns": COMMON,
    "oci_dns with a file": ("--set", "config_file=secret", *COMMON),
    "oci_steering": COMMON,
    "embedded": COMMON,
}


def init(folder: Path, kind: str, *words: str) -> Ended:
    return failoverctl("init", folder, "--provider", kind.partition(" ")[0], *words)


def below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def loaded(folder: Path) -> Policy:
    config = load_config(folder / "failoverd.yaml", REAL_KINDS).config
    assert config is not None
    (policy,) = load_policies(config, REAL_KINDS, running={}).policies.values()
    return policy


# -- what is written ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SAID)
def test_what_is_written_for_each_kind_passes_check_without_a_word(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("etc/tsig.key", "etc/powerdns.key", "secret"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("here\n")
    told = init(tmp_path / "etc", kind, *SAID[kind])
    assert told.code == FINE, told.said
    checked = failoverctl("check", "--config", tmp_path / "etc" / "failoverd.yaml")
    assert re.fullmatch("fine: 1 policy: (www|shop)\n", checked.said), checked.said


def test_every_kind_is_tried() -> None:
    assert {kind.partition(" ")[0] for kind in SAID} == set(REAL_KINDS.providers)


@pytest.mark.parametrize("kind", REAL_KINDS.providers)
def test_what_a_kind_needs_are_settings_that_it_has(kind: str) -> None:
    provider = REAL_KINDS.providers[kind]
    for need in provider.needs:
        *above, key = answers.place_of(need.key)
        assert key in known_keys(provider.settings, tuple(above)), need.key
        assert not need.make or key.endswith("_file")
        for other in filter(None, (need.only_with, need.unless)):
            assert other in {each.key for each in provider.needs}


def parts_of(annotation: object) -> Iterator[object]:
    yield annotation
    for part in get_args(annotation):
        yield from parts_of(part)


def files_of(model: type[BaseModel]) -> set[tuple[str, bool]]:
    """Every setting, with whether it is a file."""
    found: set[tuple[str, bool]] = set()
    for name, field in model.model_fields.items():
        parts = list(parts_of(field.annotation))
        found.add((name, any(part is Path for part in parts)))
        for part in parts:
            found |= files_of(part) if isinstance(part, type) and issubclass(part, BaseModel) else set()
    return found


@pytest.mark.parametrize("kind", REAL_KINDS.providers)
def test_a_setting_is_a_file_exactly_if_its_name_says_so(kind: str) -> None:
    for name, is_file in files_of(REAL_KINDS.providers[kind].settings):
        assert is_file == name.endswith("_file"), name


def test_it_ends_with_three_commands_which_are_right(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    told = init(folder, "embedded", *COMMON)
    *_, check, plan, run = (shlex.split(line, comments=True) for line in told.said.splitlines())
    config = str(folder / "failoverd.yaml")
    assert check == ["failoverctl", "check", "--config", config]
    assert plan == ["failoverctl", "plan", "--config", config]
    assert run == ["failoverd", "run", "--config", config]
    assert failoverctl(*check[1:]).code == FINE
    assert below(folder) == FILES
    assert all(str(folder / name) in told.said for name in FILES if name.endswith(".yaml"))


def test_host_names_become_a_cname_that_one_region_after_the_other_gives(tmp_path: Path) -> None:
    regions = ("--region", "azure-eu=eu.example.net", "--region", "oci-us=us.example.net")
    told = init(tmp_path, "embedded", *COMMON[:4], *regions, "--check", "tcp://any:443")
    assert told.code == FINE, told.said
    policy = loaded(tmp_path)
    assert [record.key.type for record in policy.records] == ["CNAME"]
    assert {check.kind for check in policy.checks} == {"tcp"}


def test_both_families_become_two_records(tmp_path: Path) -> None:
    regions = ("--region", "azure-eu=192.0.2.1,2001:db8::1", "--region", "oci-us=192.0.2.2:8443,[2001:db8::2]:8443")
    told = init(tmp_path, "route53", *COMMON[:4], *regions, "--check", "https://www.example.com/a?b=c%20d#")
    assert told.code == FINE, told.said
    assert [record.key.type for record in loaded(tmp_path).records] == ["A", "AAAA"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/health", "live: {https: /health, host: www.example.com, "),
        ("http:/health", "live: {http: /health, host: www.example.com, "),
        ("http://10.0.0.1:8080/up", "live: {http: /up, port: 8080, "),
        ("https://api.example.org/up?deep=1", 'live: {https: "/up?deep=1", host: api.example.org, '),
        ("tcp://any:5432", "live: {tcp: 5432, "),
        ("icmp://any", "live: {icmp: 3, "),
        ("grpc://any:50051/shop.Cart", "live: {grpc: shop.Cart, tls: false, port: 50051, "),
    ],
)
def test_a_check_is_said_as_a_url(url: str, said: str, tmp_path: Path) -> None:
    told = init(tmp_path, "embedded", *COMMON[:-1], url)
    assert told.code == FINE, told.said
    text = (tmp_path / "policies" / "www.yaml").read_text()
    assert said in text, text
    assert failoverctl("check", "--config", tmp_path / "failoverd.yaml").code == FINE


def test_a_name_in_its_own_letters_is_what_dns_holds(tmp_path: Path) -> None:
    words = (
        "--zone",
        "Bücher.example",
        "--record",
        "*.Bücher.example",
        *REGIONS,
        "--check",
        "https://www.bücher.example/",
    )
    told = init(tmp_path, "embedded", *words)
    assert told.code == FINE, told.said
    policy = loaded(tmp_path)
    assert (policy.name, policy.records[0].key.name) == ("xn--bcher-kva", "*.xn--bcher-kva.example")


def test_for_the_service_secrets_are_what_systemd_hands_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failoverd.cli.starting.gathering.SERVICE", tmp_path)
    told = init(tmp_path, "rfc2136", *COMMON)
    assert "LoadCredential=tsig.key:/etc/failoverd/secrets/tsig.key" in told.said
    *_, check, plan, run = told.said.splitlines()
    assert [each.partition("#")[0].split() for each in (check, plan, run)] == [
        ["sudo", "failoverctl-offline", "check"],
        ["sudo", "failoverctl-offline", "plan"],
        ["sudo", "systemctl", "enable", "--now", "failoverd"],
    ]
    text = (tmp_path / "failoverd.yaml").read_text()
    assert "secret_file: /run/credentials/failoverd.service/tsig.key" in text
    assert "journal" not in text.replace("as the journal is", "")


def test_an_sdk_that_is_not_installed_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_installed", lambda module: module != "boto3")
    told = init(tmp_path, "route53", "--zone", "example.com")
    assert (told.code, "nobody is there to be asked" in told.said) == (USAGE, True)
    assert told.said.startswith("note: route53 needs boto3, which is not installed: ")
    assert "pip install 'failoverd[aws]'" in told.said
    told = init(tmp_path, "route53", *COMMON)
    assert told.code == FINE
    assert "First:\n  install failoverd with its extra: pip install 'failoverd[aws]' " in told.said


# -- what is not written -----------------------------------------------------------------------------------------------


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    assert init(tmp_path, "embedded", *COMMON).code == FINE
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.yaml")}
    told = init(tmp_path, "route53", *COMMON)
    assert (told.code, "init_exists" in told.said, "failoverd.yaml" in told.said) == (FAILED, True, True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.yaml")} == before


def test_policies_that_are_there_would_be_steered_at_once_so_they_are_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "other.yml").write_text("policy: other\n")
    told = init(tmp_path, "embedded", *COMMON)
    assert (told.code, "policies/other.yml" in told.said) == (FAILED, True)
    assert below(tmp_path) == ["policies", "policies/other.yml"]


def test_what_appears_meanwhile_stays_and_nothing_of_ours_is_left(tmp_path: Path) -> None:
    def appears(_: Path) -> None:
        (tmp_path / "etc" / "failoverd.yaml").write_text("theirs\n")

    with pytest.raises(Exception, match="File exists"):
        new_files.save_new(tmp_path / "etc", {"policies/a.yaml": "a", "failoverd.yaml": "b"}, appears)
    assert below(tmp_path) == ["etc", "etc/failoverd.yaml"]
    assert (tmp_path / "etc" / "failoverd.yaml").read_text() == "theirs\n"


def test_answers_that_do_not_fit_each_other_leave_nothing(tmp_path: Path) -> None:
    told = init(
        tmp_path / "new" / "etc",
        "oci_steering",
        *COMMON[:2],
        "--record",
        "*.example.com",
        *REGIONS,
        "--check",
        "icmp://a",
    )
    assert (told.code, "init_unfit" in told.said, "it takes no wildcards" in told.said) == (FAILED, True, True)
    assert below(tmp_path) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = init(tmp_path / "file" / "etc", "embedded", *COMMON)
    assert (told.code, "init_unwritable" in told.said) == (FAILED, True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "say --zone ZONE, --record NAME, --region NAME=ADDRESS, --check URL"),
        (("--set", "sever=192.0.2.1"), 'did you mean "server"?'),
        (("--set", "server=ns1.example.com"), "is not an IP address"),
        (("--set", "key.name"), "write --set KEY=VALUE"),
        (("--set", "key.secret=c2VjcmV0"), 'did you mean "key.secret_file"?'),
        (("--set", f"key.secret_file={'MDEyMzQ1' * 5}MDE="), "that looks like the secret itself"),
        (("--set", "key.secret_file=tsig\udcff.key"), "no text in UTF-8"),
        (("--set", "timeout=5"), "'5' is not a duration"),
        ((*COMMON, "--zone", "exa mple"), "is not a host name"),
        ((*COMMON, "--record", "www.example.org"), "is not in the zone example.com"),
        ((*COMMON, "--policy", "regions"), "is the inventory of the regions"),
        ((*COMMON, "--owner", "Prod"), "lower-case letters"),
        ((*COMMON, "--region", "azure-eastus=192.0.2.99"), "azure-eastus was said already"),
        ((*COMMON, "--region", "aws-use1=192.0.2.10"), "192.0.2.10 was said already"),
        ((*COMMON, "--region", "aws-use1=lb.example.net"), "addresses and host names"),
        ((*COMMON, "--region", "aws-use1=127.0.0.1:0"), "has no valid port"),
        ((*COMMON, "--region", "aws-use1=,"), "it needs an address"),
        ((*COMMON, "--region", "west=192.0.2.99"), "say --cloud west=azure"),
        ((*COMMON, "--cloud", "west=azure"), "there is no region 'west'"),
        ((*COMMON, "--check", "ftp://example.com/"), "there is no check for ftp://"),
        ((*COMMON, "--check", "https://me:secret@example.com/"), "a user or a password has no place"),
    ],
)  # fmt: skip
def test_what_would_not_load_is_refused_with_the_reason(words: Sequence[str], reason: str, tmp_path: Path) -> None:
    told = init(tmp_path, "rfc2136", *words)
    assert (told.code, reason in " ".join(told.said.split())) == (USAGE, True), told.said
    assert below(tmp_path) == []


def test_an_unknown_kind_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    told = init(tmp_path, "rout53")
    assert (told.code, 'did you mean "route53"?' in told.said) == (USAGE, True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_file_of_any_name_is_the_one_that_is_written_down(name: str, tmp_path: Path) -> None:
    folder = Path(mkdtemp(dir=tmp_path))
    told = init(folder, "rfc2136", "--set", f"key.secret_file={folder}/x{name}", *COMMON)
    assert told.code == FINE, told.said
    config = load_config(folder / "failoverd.yaml", REAL_KINDS).config
    assert config is not None
    settings: Any = config.providers["main"].settings
    assert str(settings.key.secret_file) == f"{folder}/x{name}"


# -- a person is asked -------------------------------------------------------------------------------------------------


def test_a_person_is_asked_until_each_answer_is_right(tmp_path: Path) -> None:
    with terminal(["init"], tmp_path) as screen:
        for words, answer in (
            ("the kind of provider [rfc2136]", "bind"),
            ("there is no provider kind 'bind'", "rfc2136"),
            ("the primary server", "ns1.example.com"),
            ("not taken: server: 'ns1.example.com' is not an IP address", "192.0.2.53"),
            ("the name of the key", ""),
            ("the file with that key", ""),
            ("who is asked whether a change arrived", "192.0.2.53, 192.0.2.54:5353"),
            ("the zone", "example.com."),
            ("the record that clients ask for [www.example.com]", "\x1b[A"),
            ("cannot be printed", "api.example.com"),
            ("a region, such as azure-eastus", "West"),
            ("lower-case letters", "azure-west"),
            ("its addresses", "192.0.2.10, 192.0.2.11"),
            ("whose cloud it is in: azure, oci, aws, or a name of your own [azure]", ""),
            ("the name of another region", "east"),
            ("its addresses", "192.0.2.11"),
            ("192.0.2.11 was said already", "198.51.100.1"),
            ("whose cloud it is in", "own"),
            ("the name of another region", ""),
            ("[/health]", "health"),
            ("or a path, such as /health", "/up"),
            ("[prod]", ""),
            ("write policies/regions.yaml, policies/api.yaml, failoverd.yaml", "perhaps"),
            ("write yes or no", "y"),
        ):
            screen.asked(words)
            screen.answer(answer)
        assert screen.ended() == FINE, screen.said
    assert "tsig-keygen -a hmac-sha256 failoverd" in screen.said
    (tmp_path / "tsig.key").write_text("c2VjcmV0\n")
    assert failoverctl("check", "--config", tmp_path / "failoverd.yaml").said == "fine: 1 policy: api\n"
    assert 'nameservers: [192.0.2.53, "192.0.2.54:5353"]' in (tmp_path / "failoverd.yaml").read_text()


@pytest.mark.parametrize(
    ("ends", "code", "words"), [(b"\x03", INTERRUPTED, "nothing was written"), (b"\x04", FAILED, "init_ended")]
)
def test_who_stops_answering_leaves_nothing(ends: bytes, code: int, words: str, tmp_path: Path) -> None:
    said = ("init", "--provider", "embedded", *COMMON, "--set", "listen=127.0.0.1:5353")
    with terminal(said, tmp_path) as screen:
        screen.asked("who this installation is")
        screen.answer("prod")
        screen.asked("write policies/regions.yaml")
        screen.answer(ends)
        assert (screen.ended(), words in screen.said, "Traceback" in screen.said) == (code, True, False), screen.said
    assert below(tmp_path) == []


def test_who_says_no_in_the_end_leaves_nothing(tmp_path: Path) -> None:
    with terminal(("init", "etc", "--provider", "embedded", *COMMON, "--owner", "prod"), tmp_path) as screen:
        screen.asked("where it listens")
        screen.answer("")
        screen.asked("write policies/regions.yaml")
        screen.answer("no")
        assert screen.ended() == FAILED
    assert below(tmp_path) == []


def test_on_a_narrow_screen_that_knows_ascii_alone_every_letter_can_be_typed(tmp_path: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with terminal(("init", "--provider", "embedded", *REGIONS, "--owner", "prod"), tmp_path, plain, 40) as screen:
        for words, answer in (
            ("where it listens", ""),
            ("the zone", b"b\xfccher.example\n"),
            ("it is no text in UTF-8", "bücher.example"),
            ("the record that clients ask for", "www.bücher.example"),
            ("how to see that an endpoint is well", ""),
            ("write policies/regions.yaml", ""),
        ):
            screen.asked(words)
            screen.answer(answer)
        assert screen.ended() == FINE, screen.said
    asked = screen.said.partition("written:")[0]
    assert max(len(line) for line in asked.splitlines() if str(tmp_path) not in line) <= 40
    assert loaded(tmp_path).records[0].key.name == "www.xn--bcher-kva.example"


def test_with_ascii_alone_flags_are_read_as_they_were_meant(tmp_path: Path) -> None:
    words = ("--zone", "bücher.example", "--record", "www.bücher.example", *REGIONS, "--check", "/")
    file = ("--set", "key.secret_file=ü")
    (told,) = on_plain_terminal([["failoverctl", "init", str(tmp_path), "--provider", "rfc2136", *words, *file]], 40)
    assert told.code == FINE, told.said
    assert told.out.isascii()
    assert loaded(tmp_path).records[0].key.name == "www.xn--bcher-kva.example"
    assert "ü" in (tmp_path / "failoverd.yaml").read_text()


# -- against a real server ---------------------------------------------------------------------------------------------


async def test_what_was_written_publishes_a_record_at_a_real_server(bind_server: DnsServer, tmp_path: Path) -> None:
    port = free_port()
    here = Site(tmp_path, port, {"west": DemoRegion("west", WEST, port), "east": DemoRegion("east", EAST, port)})
    server = f"127.0.0.1:{bind_server.port}"
    wanted = (f"server={server}", f"nameservers={server}", f"key.secret_file={bind_server.key.bind_file}")
    told = init(
        tmp_path, "rfc2136", *(word for each in wanted for word in ("--set", each)), "--zone", ZONE, "--record", NAME,
        "--region", f"west={WEST}:{port}", "--cloud", "west=azure", "--region", f"east={EAST}:{port}",
        "--cloud", "east=oci", "--check", "http:/health",
    )  # fmt: skip
    assert told.code == FINE, told.said
    for region in here.regions.values():
        await region.start()
    try:
        assert (await here.control("check"))[0] == FINE
        code, printed = await here.control("plan")
        assert code == PENDING, printed
        async with here.daemon() as daemon:
            await daemon.event("change.verified", policy="api")
            assert await daemon.stop() == 0
        assert await asyncio.to_thread(bind_server.dig, NAME, "A") == [WEST, EAST]
    finally:
        for region in here.regions.values():
            region.stop()
