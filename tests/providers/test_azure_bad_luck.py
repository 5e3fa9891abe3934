"""What goes wrong at Azure, each with its own reason, and the record left as it was or as intended."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import trustme
from clouds.azure_access import Lock
from clouds.azure_tokens import CLIENT
from clouds.serving import NOT_THE_CLOUD, Luck, Request, Response
from support.azure_site import LocalAzure
from support.contract import approved, planned, publish, target, wish
from support.proxies import closed_port

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Permanent, ProviderError, RateLimited, Transient
from failoverd.core.records import RecordType, Target
from failoverd.ports import Provider, ProviderKind, Urgency
from failoverd.providers import azure_dns, azure_traffic_manager
from failoverd.providers.azure_traffic_manager import DOMAIN
from failoverd.providers.shared.throttling import FIRST_TRIAL

CNAME = RecordType.CNAME
EAST, WEST = "east.example.net", "west.example.net"
SCOPE = "/subscriptions/33333333-3333-4333-8333-333333333333"
ELSEWHERE = "44444444-4444-4444-8444-444444444444"

Misfortune = Callable[[LocalAzure], None]


@dataclass(frozen=True)
class Scene:
    """One provider, and a record of it that stands and is owned."""

    azure: LocalAzure
    kind: ProviderKind
    at: Target

    async def standing(self) -> list[str] | dict[str, int]:
        """What Azure answers, seen from behind the API."""
        if self.kind is azure_dns.KIND:
            return self.azure.cloud.records(self.at.key.name)
        return self.azure.cloud.weights("web")


@pytest.fixture(params=[azure_dns.KIND, azure_traffic_manager.KIND], ids=lambda kind: kind.name)
async def scene(request: pytest.FixtureRequest, azure: LocalAzure, name: str) -> Scene:
    kind: ProviderKind = request.param
    at = target(name, CNAME)
    if kind is azure_traffic_manager.KIND:
        at = target(azure.make_profile("web"), CNAME, DOMAIN)
    async with azure.open(kind) as provider:
        await publish(provider, at, EAST)
    return Scene(azure, kind, at)


async def change(provider: Provider, at: Target) -> Plan:
    return planned(await provider.read(at), wish(provider, at, WEST))


def no_role(azure: LocalAzure) -> None:
    azure.cloud.roles = []


def no_secret(azure: LocalAzure) -> None:
    azure.cloud.directory.apps[CLIENT].secrets.clear()
    azure.cloud.directory.revoke()


def expired_secret(azure: LocalAzure) -> None:
    app = azure.cloud.directory.apps[CLIENT]
    app.secrets = dict.fromkeys(app.secrets, 1.0)
    azure.cloud.directory.revoke()


def no_application(azure: LocalAzure) -> None:
    azure.cloud.directory.apps[CLIENT].enabled = False


def blocked_application(azure: LocalAzure) -> None:
    azure.cloud.directory.apps[CLIENT].blocked = True
    azure.cloud.directory.revoke()


def tokens_that_are_expired(azure: LocalAzure) -> None:
    azure.cloud.directory.lifetime = 0


@pytest.mark.parametrize(
    ("misfortune", "reason"),
    [
        (no_role, "permission_denied"),
        (no_secret, "credentials_invalid"),
        (expired_secret, "credentials_invalid"),
        (no_application, "account_disabled"),
        (blocked_application, "permission_denied"),
        (tokens_that_are_expired, "token_expired"),
    ],
)
async def test_who_is_not_let_in_is_told_why(scene: Scene, misfortune: Misfortune, reason: str) -> None:
    async with scene.azure.open(scene.kind) as opened:
        plan = await change(opened, scene.at)
    before = await scene.standing()
    misfortune(scene.azure)
    async with scene.azure.open(scene.kind) as provider:
        for attempt in (provider.read(scene.at), provider.apply(approved(plan))):
            with pytest.raises(Permanent) as caught:
                await attempt
            assert caught.value.reason == reason
            assert caught.value.remedy
            assert "a-client-secret" not in str(caught.value)
    assert await scene.standing() == before


@pytest.mark.parametrize("wrong", [{"resource_group": "elsewhere"}, {"subscription": ELSEWHERE}])
async def test_a_wrong_place_is_a_missing_zone(scene: Scene, wrong: dict[str, Any]) -> None:
    async with scene.azure.open(scene.kind, **wrong) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(scene.at)
    assert caught.value.reason == "zone_missing"
    assert "resource_group" in caught.value.remedy


def locked(azure: LocalAzure) -> None:
    azure.cloud.locks = [Lock(SCOPE, "ReadOnly")]


def disabled(azure: LocalAzure) -> None:
    azure.cloud.disabled = True


@pytest.mark.parametrize(("misfortune", "reason"), [(locked, "record_protected"), (disabled, "account_disabled")])
async def test_what_may_be_read_and_not_written_stays_as_it_is(
    scene: Scene, misfortune: Misfortune, reason: str
) -> None:
    before = await scene.standing()
    async with scene.azure.open(scene.kind) as provider:
        plan = await change(provider, scene.at)
        misfortune(scene.azure)
        with pytest.raises(Permanent) as caught:
            await provider.apply(approved(plan))
        assert caught.value.reason == reason
        assert (await provider.read(scene.at)).records == plan.before.records
    assert await scene.standing() == before


async def test_endless_throttling_is_obeyed(scene: Scene) -> None:
    before = await scene.standing()
    async with scene.azure.open(scene.kind) as provider:
        plan = await change(provider, scene.at)
        scene.azure.site.arm.expect(Luck.THROTTLE, method="PUT|PATCH", times=1_000, retry_after=77)
        with pytest.raises(RateLimited) as caught:
            await provider.apply(approved(plan))
    assert caught.value.reason == "throttled"
    assert caught.value.retry_after == pytest.approx(FIRST_TRIAL, abs=0.5)  # it fails out, so it may try before the 77s
    assert await scene.standing() == before


async def test_throttled_reads_wait_as_long_as_azure_says(scene: Scene) -> None:
    scene.azure.site.arm.expect(Luck.THROTTLE, method="GET", times=1_000, retry_after=77)
    async with scene.azure.open(scene.kind) as provider:
        with pytest.raises(RateLimited) as caught:
            await provider.read(scene.at)
    assert caught.value.retry_after == pytest.approx(77, abs=1)
    assert scene.azure.site.arm.calls[-1].status == 429


async def test_a_fail_out_gets_through_the_silence_of_a_routine_read(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failoverd.providers.shared.throttling.FIRST_TRIAL", 0.2)
    async with scene.azure.open(scene.kind) as provider:
        plan = await change(provider, scene.at)
        scene.azure.site.arm.expect(Luck.THROTTLE, method="GET", retry_after=600)
        with pytest.raises(RateLimited):
            await provider.read(scene.at)
        assert (await provider.read(scene.at, urgency=Urgency.FAIL_OUT)).records == plan.before.records
        await provider.apply(approved(plan))
        assert (await provider.read(scene.at, urgency=Urgency.CHANGE)).records == plan.after
        with pytest.raises(RateLimited):
            await provider.read(scene.at)


async def test_an_internal_error_may_or_may_not_have_taken_effect(scene: Scene) -> None:
    async with scene.azure.open(scene.kind) as provider:
        plan = await change(provider, scene.at)
        scene.azure.site.arm.expect(Luck.ERROR, method="PUT|PATCH")
        with pytest.raises(Transient) as caught:
            await provider.apply(approved(plan))
    assert caught.value.reason == "server_error"


async def test_a_read_that_fails_in_passing_is_made_again(scene: Scene) -> None:
    async with scene.azure.open(scene.kind) as provider:
        for luck in (Luck.DROP_BEFORE, Luck.ERROR):
            scene.azure.site.arm.expect(luck, method="GET")
            assert (await provider.read(scene.at)).records is not None


@pytest.mark.parametrize(("luck", "reason"), [(Luck.HANG_BEFORE, "timed_out"), (Luck.DROP_AFTER, "connection_lost")])
async def test_a_read_that_is_never_answered_is_given_up(scene: Scene, luck: Luck, reason: str) -> None:
    async with scene.azure.open(scene.kind, timeout=luck.timeout("200ms")) as provider:
        await provider.read(scene.at)  # it is signed in: who is slow to answer a read is asked again
        scene.azure.site.arm.expect(luck, method="GET", times=1_000)
        with pytest.raises(Transient) as caught:
            await provider.read(scene.at)
    assert caught.value.reason == reason


@pytest.mark.parametrize("luck", [Luck.HANG_BEFORE, Luck.HANG_AFTER, Luck.DROP_BEFORE, Luck.DROP_AFTER])
async def test_a_write_that_is_never_answered_is_sent_once(scene: Scene, luck: Luck) -> None:
    async with scene.azure.open(scene.kind, timeout=luck.timeout("300ms")) as provider:
        plan = await change(provider, scene.at)  # who is slow to answer a read is asked again
        before = scene.azure.writes()
        scene.azure.site.arm.expect(luck, method="PUT|PATCH")
        with pytest.raises(Transient) as caught:
            await provider.apply(approved(plan))
    assert caught.value.reason == "outcome_unknown"
    assert scene.azure.writes() <= before + 1


async def test_an_api_that_lies_is_found_out_by_reading_back(scene: Scene) -> None:
    before = await scene.standing()
    async with scene.azure.open(scene.kind) as provider:
        plan = await change(provider, scene.at)
        scene.azure.site.arm.expect(Luck.LIE, method="PUT|PATCH", times=10)
        try:
            await provider.apply(approved(plan))
        except ProviderError as error:
            assert error.reason == "no_effect"  # noqa: PT017 - Traffic Manager looks by itself, Azure DNS is looked at
        scene.azure.site.arm.relent()
        assert not plan.stands_in(await provider.read(scene.at))
    assert await scene.standing() == before


async def test_an_answer_that_makes_no_sense(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene.azure.open(scene.kind) as provider:
        await provider.read(scene.at)
        for body in (b"<html>a proxy</html>", b"{}", b"[]"):
            said = Response(200, body, {"content-type": "application/json"})
            monkeypatch.setattr(scene.azure.cloud, "answer", lambda _, said=said: said)
            with pytest.raises(Transient) as caught:
                await provider.read(scene.at)
            assert caught.value.reason == "answer_invalid"


@pytest.mark.parametrize("what", NOT_THE_CLOUD)
async def test_what_is_no_answer_of_azure_leaves_a_write_open(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    answer, blocked = scene.azure.cloud.answer, {"PATCH", "PUT"}

    def answered(request: Request) -> Response:
        return NOT_THE_CLOUD[what] if request.method in blocked else answer(request)

    async with scene.azure.open(scene.kind) as provider:
        plan = await change(provider, scene.at)
        monkeypatch.setattr(scene.azure.cloud, "answer", answered)
        with pytest.raises(Transient) as caught:
            await provider.apply(approved(plan))
        assert caught.value.reason == "outcome_unknown"
        blocked.add("GET")
        with pytest.raises(Transient) as caught:
            await provider.read(scene.at)
        assert caught.value.reason == "answer_invalid"
        assert "proxy" in caught.value.remedy


# -- on the way there --------------------------------------------------------------------------------------------------


async def test_nobody_listens(scene: Scene) -> None:
    with closed_port() as port:
        async with scene.azure.open(scene.kind, endpoint=f"https://127.0.0.1:{port}") as provider:
            with pytest.raises(Transient) as caught:
                await provider.read(scene.at)
    assert caught.value.reason == "connect_failed"


async def test_a_certificate_that_nobody_vouches_for(scene: Scene) -> None:
    other = scene.azure.folder / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    async with scene.azure.open(scene.kind, ca_file=str(other)) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(scene.at)
    assert caught.value.reason == "certificate_untrusted"


async def test_who_names_no_certificates_trusts_those_of_the_system(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(scene.azure.site.ca))
    async with scene.azure.open(scene.kind, ca_file=None) as provider:
        assert (await provider.read(scene.at)).records is not None


async def test_certificates_that_cannot_be_read(scene: Scene) -> None:
    async with scene.azure.open(scene.kind, ca_file=str(scene.azure.folder / "missing.pem")) as provider:
        with pytest.raises(Permanent) as caught:
            await provider.read(scene.at)
    assert caught.value.reason == "ca_unreadable"


async def test_a_write_is_not_in_doubt_when_only_signing_in_failed(scene: Scene) -> None:
    async with scene.azure.open(scene.kind) as opened:
        plan = await change(opened, scene.at)
    before = scene.azure.writes()
    async with scene.azure.open(scene.kind) as provider:
        scene.azure.site.login.expect(Luck.DROP_AFTER, times=1_000)
        with pytest.raises(Transient) as caught:
            await provider.apply(approved(plan))
    assert caught.value.reason == "connection_lost"
    assert scene.azure.writes() == before
