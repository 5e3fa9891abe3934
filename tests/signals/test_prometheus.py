"""What an API of Prometheus may answer, and everything that is no value of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from failoverd.core.errors import FailoverdError
from failoverd.signals.prometheus import MOST_BYTES, PrometheusSource, asking, parse


def answer(kind: object = "vector", result: object = (), status: object = "success", **more: object) -> bytes:
    return json.dumps({"status": status, "data": {"resultType": kind, "result": result}, **more}).encode()


def series(value: object, **labels: str) -> dict[str, object]:
    return {"metric": labels, "value": [1_800_000_000.1, value]}


def refusal(body: bytes) -> str:
    with pytest.raises(FailoverdError) as error:
        parse(body, "here")
    return error.value.reason


def test_a_vector_is_its_values_with_their_labels() -> None:
    found = parse(answer(result=[series("12.5", region="az"), series("1e3", region="oci")]), "here")
    assert [(dict(sample.labels), sample.value) for sample in found] == [
        ({"region": "az"}, 12.5),
        ({"region": "oci"}, 1_000),
    ]


def test_a_scalar_is_one_value_and_nothing_is_none() -> None:
    assert [sample.value for sample in parse(answer("scalar", [1, "7"]), "here")] == [7]
    assert parse(answer(result=[]), "here") == ()


def test_a_series_that_is_a_ratio_of_nothing_says_nothing_and_the_others_do() -> None:
    found = parse(answer(result=[series("NaN", region="standby"), series("0.2", region="az")]), "here")
    assert [sample.value for sample in found] == [0.2]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (answer(result=[series("NaN")]), "not_finite"),
        (answer(result=[series("+Inf")]), "not_finite"),
        (answer(result=[series("1e999")]), "not_a_number"),
        (answer("scalar", [1, "NaN"]), "not_finite"),
        (answer(result=[series(12.5)]), "no_value"),  # a number where a text belongs
        (answer(result=[series("twelve")]), "not_a_number"),
        (answer(result=[series("1_000")]), "not_a_number"),
        (answer(result=[series("")]), "not_a_number"),
        (answer(result=[{"metric": {}}]), "no_value"),
        (answer(result=[{"metric": {"region": 1}, "value": [1, "1"]}]), "not_an_answer"),
        (answer(result=["az"]), "not_an_answer"),
        (answer("string", [1, "12"]), "wrong_type"),
        (answer("matrix", []), "wrong_type"),
        (answer("vector", {}), "wrong_type"),
        (answer([], []), "wrong_type"),
        (answer(result=[series("1", n=str(number)) for number in range(10_000)]), "too_many_series"),
        (answer(status="error", errorType="bad_data", error="parse error"), "query_bad_data"),
        (answer(status="error", errorType="execution"), "query_execution"),
        (answer(status="error", errorType=["x"], error=1), "query_failed"),
        (answer(status=None), "query_failed"),
        (b'{"status": "success"}', "not_an_answer"),
        (b"[]", "not_an_answer"),
        (b"<html>", "not_json"),
        (b'{"status": NaN}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"", "not_json"),
    ],
)
def test_whatever_else_is_answered_is_a_failure_with_a_name(body: bytes, reason: str) -> None:
    assert refusal(body) == reason


# -- over the network --------------------------------------------------------------------------------------------------

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def source(
    handler: Handler, patience: float = 5.0, bearer: Path | None = None
) -> AsyncIterator[PrometheusSource]:
    """A source whose API is `handler`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with asking() as session:
            host, port = runner.addresses[0][:2]
            yield PrometheusSource(session, f"http://{host}:{port}", 15.0, patience, bearer)
    finally:
        await runner.cleanup()


async def refused(handler: Handler, patience: float = 5.0, bearer: Path | None = None) -> FailoverdError:
    async with source(handler, patience, bearer) as asked:
        with pytest.raises(FailoverdError) as error:
            await asked.ask("up")
        return error.value


async def test_a_query_is_sent_with_the_token_of_its_file_which_may_change(tmp_path: Path) -> None:
    seen: list[tuple[str, str, str]] = []

    async def handler(request: web.Request) -> web.Response:
        form = await request.post()
        said = str(request.query.get("query") or form.get("query"))
        seen.append((request.method, request.headers.get("Authorization", ""), said))
        return web.Response(body=answer(result=[series("1")]))

    token = tmp_path / "token"
    token.write_text("first-token\n")
    long = f"sum({'x' * 2_000})"
    async with source(handler, bearer=token) as asked:
        await asked.ask('up{job="a&b"}')
        token.write_text("second-token\n")
        await asked.ask(long)
    assert seen == [("GET", "Bearer first-token", 'up{job="a&b"}'), ("POST", "Bearer second-token", long)]


async def test_a_redirect_is_not_followed() -> None:
    asked = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    assert ((await refused(handler)).reason, asked) == ("redirected", 1)


async def test_no_secret_is_told_that_a_server_repeats(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        said = f"who is {request.headers['Authorization']}?"
        return web.json_response({"status": "error", "error": said}, status=401)

    token = tmp_path / "token"
    token.write_text("a-very-secret-token")
    error = await refused(handler, bearer=token)
    assert error.reason == "http_401"
    assert "secret" not in str(error).replace("repeat a secret", "")


async def test_who_is_silent_or_endless_or_gone_is_given_up() -> None:
    async def silent(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(2 * MOST_BYTES // 65_536):
            await response.write(b" " * 65_536)
        return response

    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=503, text="overloaded")

    assert (await refused(silent, patience=0.05)).reason == "timeout"
    assert (await refused(endless)).reason == "answer_too_large"
    assert (await refused(broken)).reason == "http_503"
    async with asking() as session:
        with pytest.raises(FailoverdError) as error:
            await PrometheusSource(session, "http://127.0.0.1:9", 15.0, 1.0).ask("up")
    assert error.value.reason == "unreachable"
