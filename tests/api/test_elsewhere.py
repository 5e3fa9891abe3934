"""Who is heard from other machines: by a token or a certificate, over TLS, and nobody else."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError
from support import evenings
from support.api import NOW, House, elsewhere, heard

from failoverd.api import bounds, places
from failoverd.api import listening as hub
from failoverd.api.asked import ScopeAsked, WordAsked
from failoverd.api.client import ApiError, Client, Elsewhere
from failoverd.api.credentials import SOON
from failoverd.api.tokens import AdminTokens
from failoverd.config.schema.config_file import ApiEntry, ApiTcpEntry
from failoverd.core.errors import ConfigError
from failoverd.core.events import ApiFailed, ConfigRejected, RequestRefused
from failoverd.core.overrides import Verb
from failoverd.core.status import FilesStatus, RefusedFile
from failoverd.store.reading import HistoryReading

DRAIN = WordAsked(verb=Verb.DRAIN, scope=ScopeAsked(regions=("oci",)), reason="it burns", for_seconds=60)
READER, OPERATOR, OLD = "the-token-of-who-reads", "the-token-of-who-operates", "the-token-of-last-year"
LATER, BEFORE = "2027-06-30T00:00:00Z", "2025-12-01T03:11:59+00:00"


def line(name: str, role: str, token: str, expires: str = LATER) -> str:
    return f"{name}  {role}  {sha256(token.encode()).hexdigest()}  {expires}\n"


TOKENS = "# who may\n\n" + "".join(
    (line("grafana", "read", READER), line("deploy", "operate", OPERATOR), line("old", "read", OLD, BEFORE))
)


@dataclass
class Site:
    """Files as an administrator has them, and the authority that signed what is in them."""

    folder: Path
    authority: trustme.CA

    def entry(self, *, tls: bool = True, tokens: bool = True, clients: bool = False, **more: object) -> ApiEntry:
        said = dict(more)
        said |= {"certificate_file": self.folder / "api.pem", "key_file": self.folder / "api.key"} if tls else {}
        said |= {"tokens_file": self.folder / "tokens"} if tokens else {}
        said |= {"client_ca_file": self.folder / "ca.pem"} if clients else {}
        return ApiEntry(tcp=elsewhere(**said))

    def trusting(self, name: str = "") -> ssl.SSLContext:
        """What a client trusts; with a name, it shows a certificate of its own."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if name:
            self.authority.issue_cert("client.example.com", common_name=name).configure_cert(context)
        return context

    def sign(self, not_after: datetime | None = None) -> None:
        made = self.authority.issue_cert("127.0.0.1", not_after=not_after)
        made.cert_chain_pems[0].write_to_path(self.folder / "api.pem")
        made.private_key_pem.write_to_path(self.folder / "api.key")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "tokens").write_text(TOKENS)
    found = Site(tmp_path, authority)
    found.sign()
    return found


def caller(here: House, tls: ssl.SSLContext | None, token: str = "") -> Client:
    assert here.api.port is not None
    return Client(Elsewhere("127.0.0.1", here.api.port, tls, token))


async def refusal(client: Client, *, writes: bool = False) -> tuple[int, str]:
    with pytest.raises(ApiError) as refused:
        await (client.give(DRAIN) if writes else client.words())
    return refused.value.status, refused.value.reason


# -- tokens ------------------------------------------------------------------------------------------------------------


async def test_a_token_is_its_role_and_its_name_is_the_actor(site: Site) -> None:
    async with heard(site.folder, site.entry()) as here:
        reader, operator = (caller(here, site.trusting(), token) for token in (READER, OPERATOR))
        assert (await reader.words()).overrides == ()
        assert await refusal(reader, writes=True) == (403, "forbidden")
        assert (await operator.give(DRAIN)).override.actor == "deploy"
        with HistoryReading(here.path) as reading:
            refused, given = reading.audit()
    assert (refused.actor, refused.origin, refused.status) == ("grafana", "127.0.0.1", 403)
    assert (given.actor, given.status) == ("deploy", 200)


async def test_tokens_that_are_wrong_expired_or_missing_are_refused_told_and_kept(site: Site) -> None:
    async with heard(site.folder, site.entry()) as here:
        tls = site.trusting()
        assert await refusal(caller(here, tls, "a-token-that-nobody-has")) == (401, "token_unknown")
        assert await refusal(caller(here, tls, OLD)) == (401, "token_expired")
        assert await refusal(caller(here, tls)) == (401, "nobody")
        told = [(event.status, event.reason) for event in here.events if isinstance(event, RequestRefused)]
        with HistoryReading(here.path) as reading:
            kept = [(row.status, row.origin, row.actor) for row in reading.audit()]
    assert told == [(401, "token_unknown"), (401, "token_expired"), (401, "nobody")]
    assert kept == [(401, "127.0.0.1", "")] * 3


async def test_a_digest_is_no_token(site: Site) -> None:
    async with heard(site.folder, site.entry()) as here:
        stolen = sha256(OPERATOR.encode()).hexdigest()
        assert await refusal(caller(here, site.trusting(), stolen), writes=True) == (401, "token_unknown")


async def test_a_token_is_never_told(site: Site) -> None:
    async with heard(site.folder, site.entry()) as here:
        await caller(here, site.trusting(), OPERATOR).give(DRAIN)
        await refusal(caller(here, site.trusting(), OLD))
        with HistoryReading(here.path) as reading:
            everything = repr((here.events, reading.audit()))
    assert not [token for token in (OPERATOR, OLD) if token in everything]


async def test_who_guesses_tokens_is_slowed_down_and_others_are_not(site: Site) -> None:
    async with heard(site.folder, site.entry()) as here:
        tls = site.trusting()
        found = [await refusal(caller(here, tls, f"a-guess-of-a-token-{number}")) for number in range(25)]
        assert found[0] == (401, "token_unknown")
        assert found[-1] == (429, "too_many_requests")
        assert (await here.client.words()).overrides == (), "at the socket nothing was guessed"


async def test_tokens_and_certificates_are_taken_up_anew_and_bad_ones_change_nothing(site: Site) -> None:
    async with heard(site.folder, site.entry()) as here:
        (site.folder / "tokens").write_text(line("later", "operate", "another-token-altogether"))
        site.authority = trustme.CA()
        site.sign()
        here.api.reread()
        assert (await caller(here, site.trusting(), "another-token-altogether").give(DRAIN)).override.actor == "later"
        (site.folder / "tokens").write_text("later operate mistaken-token-itself 2027-06-30T00:00:00Z\n")
        here.api.reread()
        assert (await caller(here, site.trusting(), "another-token-altogether").words()).overrides
    (rejected,) = [event for event in here.events if isinstance(event, ConfigRejected)]
    assert rejected.file == str(site.folder / "tokens")
    assert rejected.keeps == "what that file held when it was read before"
    assert "tokens:1: the digest of later is no SHA-256" in rejected.errors[0]
    assert "mistaken-token-itself" not in rejected.errors[0]


async def test_what_a_reload_did_not_take_up_is_told_until_it_is_mended(site: Site) -> None:
    async with heard(site.folder, site.entry()) as here:

        def refused() -> list[tuple[str, str]]:
            found = here.api.beside(FilesStatus(NOW, (RefusedFile("/etc/shop.yaml", "FD201"),))).refused
            return [(Path(each.file).name, each.error) for each in found if each.error != "FD201"]

        assert refused() == []
        (site.folder / "tokens").write_text(line("later", "operate", OPERATOR) + "new read abc 2027-06-30\n")
        (site.folder / "api.pem").write_text("garbage")
        here.api.reread()
        (certificate, wrong), (tokens, digest) = refused()
        assert (certificate, tokens) == ("api.pem", "tokens")
        assert "cannot be used for TLS" in wrong or "PEM" in wrong
        assert digest.startswith("the digest of new is no SHA-256 in lower-case hexadecimal")
        (site.folder / "tokens").write_text(TOKENS)
        site.sign()
        here.api.reread()
        assert refused() == []


async def test_a_certificate_that_is_amiss_keeps_no_token_at_work_that_was_withdrawn(site: Site) -> None:
    async with heard(site.folder, site.entry()) as here:
        (site.folder / "tokens").write_text(line("deploy", "operate", OPERATOR))
        (site.folder / "api.key").write_text("garbage")
        here.api.reread()
        assert await refusal(caller(here, site.trusting(), READER)) == (401, "token_unknown")
        assert (await caller(here, site.trusting(), OPERATOR).words()).overrides == ()


async def test_a_way_in_that_did_not_open_is_told_until_a_restart(site: Site) -> None:
    said = site.entry()
    (site.folder / "tokens").unlink()
    async with heard(site.folder, said) as here:
        here.api.reread()
        (told,) = here.api.beside(FilesStatus(NOW)).refused
    assert "nobody is heard at 127.0.0.1:0: " in told.error
    assert "A restart tries it again, and moves no traffic" in told.error


@pytest.mark.parametrize(
    ("days", "within", "words"),
    [
        (-1, 0.0, "it expired 1 d ago, at 2025-11-30 03:12:00Z: browsers and clients refuse the API"),
        (2, 0.0, ""),
        (2, SOON, "it expires in 2 d, at 2025-12-03 03:12:00Z: from then on browsers"),
        (30, SOON, ""),
    ],
)
async def test_a_certificate_that_ends_is_told_before_browsers_refuse_it(
    site: Site, days: int, within: float, words: str
) -> None:
    site.sign(not_after=datetime.fromtimestamp(NOW, UTC) + timedelta(days=days))
    async with heard(site.folder, site.entry()) as here:
        told = [each.error for each in here.api.beside(FilesStatus(NOW), within).warned]
    assert [each.startswith(words) for each in told] == ([True] if words else [])


@asynccontextmanager
async def listening(here: House, tls: ssl.SSLContext, token: str = "") -> AsyncIterator[asyncio.StreamReader]:
    """Who was told the whole once."""
    shown = f"Authorization: Bearer {token}\r\n" if token else ""
    reader, writer = await asyncio.open_connection("127.0.0.1", here.api.port, ssl=tls)
    try:
        writer.write(f"GET /v1/events HTTP/1.0\r\nHost: 127.0.0.1\r\n{shown}\r\n".encode())
        await reader.readuntil(b"event: board\n")
        await reader.readuntil(b"\n\n")
        yield reader
    finally:
        writer.transport.abort()


async def test_who_may_not_hear_it_any_more_is_told_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that was withdrawn, and a certificate that may have been: whoever signed it may not count any more."""
    monkeypatch.setattr(hub, "_FRESH", 0.02)
    monkeypatch.setattr("failoverd.api.service._FRESH", 0.0)
    async with (
        heard(site.folder, site.entry(clients=True)) as here,
        listening(here, site.trusting(), READER) as reader,
        listening(here, site.trusting("alice")) as shown,
        listening(here, site.trusting(), OPERATOR) as stays,
        asyncio.timeout(20),
    ):
        (site.folder / "tokens").write_text(line("deploy", "operate", OPERATOR))
        here.api.reread()
        for each in (reader, shown):
            assert b"event: board" not in await each.read()
        here.stands(evenings.quiet(NOW))
        assert await stays.readuntil(b"event: board\n")
        async with listening(here, site.trusting("alice")) as again:
            assert not again.at_eof(), "it is shown again, and verified by what counts now"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("deploy operate\n", "it needs a name, a role, a digest and an expiry"),
        (line("alice@host", "read", READER), "the name has other characters"),
        (line("deploy", "root", READER), "the role of deploy is neither"),
        (line("deploy", "none", READER), "the role of deploy is neither"),
        (line("deploy", "read", READER, "2027-06-30"), "the expiry of deploy is no time with its zone"),
        (line("deploy", "read", READER) + line("deploy", "operate", OPERATOR), "deploy is there twice"),
    ],
)
def test_a_tokens_file_that_is_wrong_says_where(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / "tokens").write_text(text)
    with pytest.raises(ConfigError, match=wrong):
        AdminTokens.read(tmp_path / "tokens")


def test_every_token_is_compared_with_every_line_in_constant_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tokens").write_text(TOKENS)
    compared = list[str]()

    def counted(known: str, said: str) -> bool:
        compared.append(known)
        return known == said

    monkeypatch.setattr("hmac.compare_digest", counted)
    assert AdminTokens.read(tmp_path / "tokens").actor(READER, "127.0.0.1", NOW).name == "grafana"
    assert len(compared) == 3, "the first line fits, and the others are looked at all the same"


# -- certificates ------------------------------------------------------------------------------------------------------


async def test_a_certificate_is_the_actor_and_operators_are_named(site: Site) -> None:
    async with heard(site.folder, site.entry(tokens=False, clients=True, operators=("alice",))) as here:
        given = await caller(here, site.trusting("alice")).give(DRAIN)
        assert given.override.actor == "alice"
        assert (await caller(here, site.trusting("bob")).words()).overrides
        assert await refusal(caller(here, site.trusting("bob")), writes=True) == (403, "forbidden")


async def test_without_a_certificate_of_the_authority_nobody_comes_in(site: Site) -> None:
    stranger = site.trusting()
    trustme.CA().issue_cert("client.example.com", common_name="alice").configure_cert(stranger)
    async with heard(site.folder, site.entry(tokens=False, clients=True, operators=("alice",))) as here:
        for tls in (stranger, site.trusting()):
            with pytest.raises(ApiError) as refused:
                await caller(here, tls).words()
            assert refused.value.reason in {"daemon_slow", "daemon_unreachable"}
        assert here.desk.given == 0


async def test_with_both_a_token_counts_first(site: Site) -> None:
    async with heard(site.folder, site.entry(clients=True, operators=("alice",))) as here:
        assert (await caller(here, site.trusting("alice")).give(DRAIN)).override.actor == "alice"
        assert await refusal(caller(here, site.trusting("alice"), READER), writes=True) == (403, "forbidden")
        assert (await caller(here, site.trusting(), OPERATOR).give(DRAIN)).override.actor == "deploy"
        assert await refusal(caller(here, site.trusting())) == (401, "nobody")


async def test_a_daemon_whose_certificate_is_not_trusted_is_not_spoken_to(site: Site) -> None:
    async with heard(site.folder, site.entry()) as here:
        other = ssl.create_default_context()
        trustme.CA().configure_trust(other)
        with pytest.raises(ApiError) as refused:
            await caller(here, other, OPERATOR).words()
    assert refused.value.reason == "certificate_untrusted"
    assert not here.events


# -- the door ----------------------------------------------------------------------------------------------------------


async def test_on_this_host_tokens_do_without_tls(site: Site) -> None:
    async with heard(site.folder, site.entry(tls=False)) as here:
        assert (await caller(here, None, READER).words()).overrides == ()


LISTEN = "192.0.2.1:8443"
FILES = {"certificate_file": Path("a"), "key_file": Path("b")}


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"listen": LISTEN, "tokens_file": Path("t")}, "anybody on the way could read the tokens"),
        ({"listen": "0.0.0.0:8443", "tokens_file": Path("t")}, "anybody on the way could read the tokens"),
        ({"listen": LISTEN, **FILES}, "nobody could ask"),
        ({"listen": LISTEN, "certificate_file": Path("a"), "tokens_file": Path("t")}, "belong together"),
        ({"listen": "127.0.0.1:8443", "client_ca_file": Path("c")}, "client certificates are shown in TLS alone"),
    ],
)
def test_what_would_not_be_safe_is_an_error_of_the_file(said: Mapping[str, object], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        ApiTcpEntry.model_validate(said)


@pytest.mark.parametrize("missing", ["tokens", "api.pem"])
async def test_a_file_that_is_not_there_shuts_this_way_in_and_no_other(site: Site, missing: str) -> None:
    said = site.entry()
    (site.folder / missing).unlink()
    async with heard(site.folder, said) as here:
        (failed,) = [event for event in here.events if isinstance(event, ApiFailed)]
        assert here.api.port is None
        assert (await here.client.words()).overrides == ()
    assert missing in failed.error


async def test_who_opens_connections_and_says_nothing_keeps_nobody_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "ASKING", 20.0)
    async with heard(site.folder, site.entry()) as here, AsyncExitStack() as stack:
        idle = []
        for _ in range(200):
            reader, writer = await asyncio.open_connection("127.0.0.1", here.api.port)
            stack.callback(writer.close)
            idle.append(reader)
        assert (await caller(here, site.trusting(), READER).words()).overrides == ()
        for reader in idle[: -bounds.MOST_OF_PEER]:  # those who have said nothing for longest made room
            with suppress(ConnectionError):
                assert await reader.read() == b""


def test_a_certificate_that_expired_is_none(site: Site) -> None:
    site.sign(not_after=datetime.now(UTC) - timedelta(days=1))

    async def asked() -> str:
        async with heard(site.folder, site.entry()) as here:
            with pytest.raises(ApiError) as refused:
                await caller(here, site.trusting(), READER).words()
        return refused.value.reason

    assert asyncio.run(asked()) == "certificate_untrusted"
