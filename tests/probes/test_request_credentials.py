"""Secrets that requests carry: from files, read when they change, shown to nobody."""

import os
from pathlib import Path

import pytest
from support.probers import prober
from support.targets import OK, Connection, answers, response, serve

from failoverd.core.errors import ConfigError
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.probes.field_types import SecretFile
from failoverd.probes.findings import Finding
from failoverd.probes.http1.request_credentials import RequestCredentials, redact

TOKEN = "tok-0123456789-abcdef"  # noqa: S105 - opens nothing


def written(path: Path, text: str | bytes) -> str:
    """A file as a rotation leaves it: another one under the same name."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(text.encode() if isinstance(text, str) else text)
    fresh.replace(path)
    return str(path)


@pytest.mark.parametrize(
    ("text", "sent"), [(f"{TOKEN}\n", f"Bearer {TOKEN}"), ("Basic bmFtZTpwdw==", "Basic bmFtZTpwdw==")]
)
async def test_the_authorization_is_sent_as_the_file_says(tmp_path: Path, text: str, sent: str) -> None:
    live = prober("http", "/", authorization_file=written(tmp_path / "token", text))
    async with serve(answers(OK)) as target:
        assert (await live.probe(target.endpoint)).reason is ProbeReason.OK
    assert f"Authorization: {sent}\r\n" in target.requests[0]


async def test_secret_headers_are_sent_as_the_file_says(tmp_path: Path) -> None:
    path = written(tmp_path / "headers", f"X-Api-Key: {TOKEN}\nCookie:  a=b \n")
    async with serve(answers(OK)) as target:
        assert (await prober("http", "/", headers_file=path).probe(target.endpoint)).reason is ProbeReason.OK
    assert f"X-Api-Key: {TOKEN}\r\nCookie: a=b\r\n" in target.requests[0]


async def test_a_renewed_secret_is_sent_from_the_next_probe_on(tmp_path: Path) -> None:
    live = prober("http", "/", authorization_file=written(tmp_path / "token", "first-token"))
    async with serve(answers(OK)) as target:
        await live.probe(target.endpoint)
        written(tmp_path / "token", "other-token")
        await live.probe(target.endpoint)
    assert ["first-token" in request for request in target.requests] == [True, False]
    assert "Bearer other-token" in target.requests[1]


@pytest.mark.parametrize("spoilt", [None, "", "two\nlines", b"\xff\xfe"])
async def test_a_secret_that_is_gone_blinds_the_check_until_it_is_back(
    tmp_path: Path, spoilt: str | bytes | None
) -> None:
    path = tmp_path / "token"
    live = prober("http", "/", authorization_file=written(path, TOKEN))
    async with serve(answers(OK)) as target:
        if spoilt is None:
            path.unlink()
        else:
            written(path, spoilt)
        result = await live.probe(target.endpoint)
        assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.CREDENTIAL_MISSING)
        assert str(path) in result.detail or len(result.detail) == 200
        assert target.connections == 0
        written(path, TOKEN)
        assert (await live.probe(target.endpoint)).reason is ProbeReason.OK


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("authorization_file", None, "No such file"),
        ("authorization_file", b"", "it is empty"),
        ("headers_file", b"\n", "it is empty"),
        ("authorization_file", b"\xff", "not ASCII"),
        ("authorization_file", b"a" * 70_000, "larger than 64 KiB"),
        ("authorization_file", f"{TOKEN}\r\nX: y".encode(), "the value of Authorization"),
        ("headers_file", f"X-Key {TOKEN}".encode(), "line 1 is not of the form"),
        ("headers_file", f"A: b\nHost: {TOKEN}".encode(), "Host is not for a check to set"),
        ("headers_file", f"A b: {TOKEN}".encode(), "line 1 does not begin with the name of a header"),
        ("headers_file", f"{TOKEN}/with/slash:x".encode(), "line 1 does not begin with the name of a header"),
    ],
)
def test_a_file_that_cannot_be_used_says_so_when_the_check_is_opened(
    tmp_path: Path, key: str, text: bytes | None, words: str
) -> None:
    path = tmp_path / "secret"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(ConfigError, match="credential_missing") as refused:
        prober("http", "/", **{key: str(path)})
    assert words in str(refused.value)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "echoed"),
    [
        ("Bearer k3y!", "you said k3y!"),
        ("Basic bmFtZTpwNHNzdzByZA==", "wrong: p4ssw0rd"),
        (f"Bearer {TOKEN}", TOKEN[2:12]),
    ],
)
def test_a_secret_that_a_server_sends_back_is_not_repeated_in_any_form(value: str, echoed: str) -> None:
    finding = redact(Finding(ProbeReason.STATUS_UNEXPECTED, echoed), (("Authorization", value),))
    assert finding.detail == "its words are not shown: they repeat a secret of the request"
    plain = Finding(ProbeReason.STATUS_UNEXPECTED, "401 Unauthorized")
    assert redact(plain, (("Authorization", value),)) == plain


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token")
    with pytest.raises(ConfigError, match="not a regular file"):
        prober("http", "/", authorization_file=str(tmp_path / "token"))


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
async def test_a_credential_that_is_refused_says_nothing_about_the_endpoint(tmp_path: Path, status: str) -> None:
    path = written(tmp_path / "token", TOKEN)
    async with serve(answers(response(status))) as target:
        result = await prober("http", "/", authorization_file=path).probe(target.endpoint)
        assert (result.outcome, result.reason) == (ProbeOutcome.BLIND, ProbeReason.CREDENTIAL_REFUSED)
        without = await prober("http", "/").probe(target.endpoint)
        assert (without.outcome, without.reason) == (ProbeOutcome.FAIL, ProbeReason.STATUS_UNEXPECTED)
        listed = await prober("http", "/", authorization_file=path, status=[401, 403]).probe(target.endpoint)
        assert listed.outcome is ProbeOutcome.PASS


@pytest.mark.parametrize(
    ("sent", "settings"),
    [
        (response("200 OK", f"you sent {TOKEN}".encode()), {"contains": "serving"}),
        (response("200 OK", f'{{"you": "{TOKEN}"}}'.encode()), {"json_path": {"$.you": "me"}}),
        (response(f"500 {TOKEN[:12]}"), {}),
        (response("200 OK", b"", f"Location: http://x/{TOKEN}"), {"status": 204}),
        (response("302 Found", b"", f"Location: http://10.0.0.1:0/{TOKEN}"), {"redirects": True}),
        (response("302 Found", b"", f"Location: /a b/{TOKEN}"), {"redirects": True}),
        (f"SSH-{TOKEN}\r\n".encode(), {}),
    ],
)
async def test_a_server_that_sends_the_secret_back_does_not_get_it_into_the_log(
    tmp_path: Path, sent: bytes, settings: dict[str, object]
) -> None:
    path = written(tmp_path / "token", TOKEN)
    live = prober("http", "/", authorization_file=path, **settings)
    async with serve(answers(sent)) as target:
        result = await live.probe(target.endpoint)
    assert result.outcome is ProbeOutcome.FAIL
    assert not any(TOKEN[at : at + 8] in f"{result} {live!r}" for at in range(len(TOKEN) - 7))


async def test_a_secret_is_not_in_the_request_of_anybody_else(tmp_path: Path) -> None:
    async def echo(connection: Connection) -> None:
        await connection.request()
        await connection.send(response("200 OK", connection.target.requests[-1].encode()))

    path = written(tmp_path / "token", TOKEN)
    async with serve(echo) as target:
        assert (
            await prober("http", "/", authorization_file=path, contains=TOKEN).probe(target.endpoint)
        ).reason == "ok"
        assert (await prober("http", "/", contains=TOKEN).probe(target.endpoint)).reason == "body_mismatch"


def test_a_link_out_of_what_checks_may_send_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    written(tmp_path / "tsig.key", TOKEN)
    link, own = tmp_path / "allowed" / "token", tmp_path / "allowed" / "mounted"
    own.write_text(TOKEN)
    link.symlink_to(own)
    credentials = RequestCredentials(SecretFile(str(link), (tmp_path / "allowed",)), None)
    assert credentials.fields() == (("Authorization", f"Bearer {TOKEN}"),)
    link.unlink()
    link.symlink_to(tmp_path / "tsig.key")
    with pytest.raises(ConfigError, match="outside of what checks may send") as caught:
        credentials.fields()
    assert "check_files" in caught.value.detail
