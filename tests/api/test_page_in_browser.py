"""The page in a real browser: what it shows, how it keeps up, and that nobody is kept out by how they use it.

Each test is a walk, for what is shared by them is the browser, and making ready takes longer than looking.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect
from support import evenings
from support.api import NOW, heard
from support.browsers import (
    DESKTOP,
    OPERATOR,
    PHONE,
    READER,
    SMALL,
    Theme,
    Visit,
    chromium,
    evening,
    remembered,
    visiting,
    with_token,
)
from support.journals import TARGET, incident
from support.leaders import members

from failoverd.api.relay import relayed
from failoverd.core.events import EndpointFailed, Event, RegionLost
from failoverd.core.status import RefusedFile, TargetState

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

PATIENCE = 20_000.0
"""Milliseconds; a machine that is busy with other tests is slow."""
expect.set_options(timeout=PATIENCE)

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


async def innocent(visit: Visit, link: str) -> None:
    """It asked nobody but its own daemon, complained about nothing, and tried nothing that it may not."""
    assert set(visit.asked) <= {urlsplit(link).netloc}
    assert visit.complaints == []
    assert await visit.kept_from() == []


async def usable(page: Page) -> None:
    """By who sees little, or nothing, or uses no mouse: as far as a program can tell."""
    found = await Axe().run(page, options=AXE)
    assert found.violations_count == 0, found.generate_report()


async def test_a_bad_night_is_on_one_screen_and_strangers_words_are_words(browser: Browser, tmp_path: Path) -> None:
    async with evening(tmp_path, evenings.bad(NOW)) as (_, link), visiting(browser, with_token(link)) as visit:
        page = (await visit.shown()).page
        await expect(page.locator("#level-word")).to_have_text("A person is needed")
        await expect(page.locator("#headline")).to_contain_text("3 of 6 need a person: chat")
        await expect(page.locator("#needs-list li")).to_have_count(3)
        assert "#token" not in page.url
        chat = page.locator("#busy-rows tr", has_text="chat.example.com")
        await expect(chat).to_contain_text("Person needed: limited")
        await expect(chat).to_contain_text("azure-eastus is down")
        await expect(chat).to_contain_text("min_regions waits for a person")
        moved = page.locator("#busy-rows tr", has_text="api.example.com")
        await expect(moved.locator(".parts")).to_contain_text("oci-ashburn100 %normal 30 %")
        await expect(moved).to_contain_text("since 03:08 UTC")
        await expect(moved).to_contain_text("$7.83 an hour, $2.12 more than on a normal day")
        await expect(page.locator("#busy-rows tr", has_text="search.example.com")).to_contain_text("it is tried again")
        await expect(page.locator("#busy-rows", has_text="bücher.example.com")).to_be_visible()
        drain = page.locator("#words-list li", has_text="drain of region aws-use1")
        await expect(drain).to_contain_text("alice@bastion")
        await expect(drain).to_contain_text(re.compile(r"until 03:57 UTC \(4\d min left\)"))
        await expect(page.locator("#words-list")).to_contain_text("rack move")
        azure = page.locator(".cloud", has_text="azure-eastus")
        await expect(azure).to_contain_text("2 of 6 policies")
        oci = page.locator(".cloud", has_text="oci-ashburn")
        await expect(oci).to_contain_text("carries 2,000 of 1,800, 200 too much")
        await expect(oci).to_contain_text("inference-api is short of 200")
        await expect(azure).to_contain_text(re.compile(r"seen \d+ s ago"))

        await moved.get_by_role("button", name="What happened").click()
        await expect(page.locator("#timeline-title")).to_have_text("What happened: inference-api")
        await expect(page.locator("#marks li")).to_have_count(6)
        await expect(page.locator("#marks li").first).to_contain_text("192.0.2.10 in azure-eastus is down")
        await expect(page.locator("#marks li").last).to_contain_text("+0.4 s")
        await expect(page.locator("#charts canvas")).to_have_count(3)
        await expect(page.locator("#charts")).to_contain_text("Clients still on the answer before the last change")

        assert await page.locator("img").count() == 0
        assert "owned" not in await page.title()
        text = await page.locator("main").inner_text()
        assert "kernel update <img src=x onerror=" in text
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", text)
        await innocent(visit, link)


@pytest.mark.parametrize(("theme", "size"), [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE), ("dark", PHONE)])
async def test_it_is_usable_in_both_themes_at_a_desk_and_on_a_phone(
    browser: Browser, tmp_path: Path, theme: Theme, size: tuple[int, int]
) -> None:
    async with (
        evening(tmp_path, evenings.bad(NOW)) as (_, link),
        visiting(browser, with_token(link), size, theme) as visit,
    ):
        page = (await visit.shown()).page
        await usable(page)
        await page.set_viewport_size({"width": SMALL[0], "height": SMALL[1]})
        assert await page.evaluate("document.documentElement.scrollWidth") <= SMALL[0], "nobody scrolls sideways"
        await innocent(visit, link)


async def test_one_of_several_members_says_who_speaks(browser: Browser, tmp_path: Path) -> None:
    told = replace(evenings.quiet(NOW), members=members(NOW, member="oci-1", leads=False))
    async with evening(tmp_path, told) as (here, link), visiting(browser, with_token(link)) as visit:
        page = (await visit.shown()).page
        speaker = page.locator("#speaker")
        await expect(speaker).to_have_text("oci-1 follows azure-1, which leads in epoch 7; 3 of 3 members vote")
        here.stands(evenings.quiet(NOW))
        await expect(speaker).to_be_hidden()
        await innocent(visit, link)


async def test_it_keeps_up_by_itself_and_what_is_being_read_stays(browser: Browser, tmp_path: Path) -> None:
    async with evening(tmp_path, evenings.moved(NOW)) as (here, link), visiting(browser, with_token(link)) as visit:
        page = (await visit.shown()).page
        await page.evaluate("window.still = 'the same page'")
        await page.locator("#filter").fill("e")
        copying = page.locator("#busy-rows tr", has_text="api.example.com").get_by_role("button", name="Copy")
        await copying.focus()
        here.stands(evenings.bad(NOW))
        await expect(page.locator("#level-word")).to_have_text("A person is needed")
        assert await page.evaluate("document.activeElement.textContent") in {"Copy", "Copied"}
        await expect(page.locator("#filter")).to_have_value("e")
        here.stands(evenings.quiet(NOW))
        await expect(page.locator("#headline")).to_have_text("all well: 6 policies")
        await expect(page.locator("#needs")).to_be_hidden()
        assert await page.evaluate("window.still") == "the same page"
        await innocent(visit, link)


async def test_what_is_old_is_called_old_until_the_daemon_is_back(browser: Browser, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack, AsyncExitStack() as life:
        here = await life.enter_async_context(heard(tmp_path))
        here.stands(evenings.moved(NOW))
        await remembered(here)
        link = await stack.enter_async_context(relayed(here.socket, 0, "alice"))
        visit = await stack.enter_async_context(visiting(browser, link, clock=True))
        page = (await visit.shown()).page
        await expect(page.locator("#link-text")).to_contain_text("live")
        await expect(page.locator("#banner")).to_be_hidden()
        await life.aclose()
        await page.clock.fast_forward(40_000)
        await expect(page.locator("#banner")).to_contain_text("The daemon does not answer")
        await expect(page.locator("#banner")).to_contain_text("All of this is what it saw at 03:12")
        await expect(page.locator("body")).to_have_class("old")
        await expect(page.locator("#headline")).to_contain_text("inference-api left azure-eastus")
        await usable(page)
        again = await life.enter_async_context(heard(tmp_path))
        again.stands(evenings.quiet(NOW))
        await page.clock.fast_forward(10_000)
        await expect(page.locator("#headline")).to_have_text("all well: 6 policies")
        await expect(page.locator("#banner")).to_be_hidden()

        async with page.expect_response(lambda each: each.status == 503 and "/v1/events" in each.url):
            await life.aclose()  # for a moment, in which it asked to be told, and was refused
        again = await life.enter_async_context(heard(tmp_path))
        again.stands(evenings.moved(NOW))
        await page.clock.fast_forward(6_500)
        await expect(page.locator("#headline")).to_contain_text("inference-api left azure-eastus")
        await expect(page.locator("#link-text")).to_contain_text("live")
        assert await visit.kept_from() == []


async def test_only_what_failoverd_made_is_a_command_and_nothing_unknown_is_shown_as_none(
    browser: Browser, tmp_path: Path
) -> None:
    quiet = evenings.quiet(NOW)
    first = replace(quiet.targets[0], state=TargetState.DELAYED, published={}, seen=None, answered_since=None)
    second = replace(quiet.targets[1], state=TargetState.DELAYED, seen=NOW - 55)
    third = replace(quiet.targets[2], state=TargetState.REFUSED, published={}, foreign=("A (with a health check)",))
    evil = RefusedFile('failoverctl release --all --reason "$(touch OWNED)".yaml', "failoverctl pause --all `id`")
    book = "https://runbooks.example.com/api"
    policies = (replace(quiet.policies[0], incident_id="inc-1", runbook=book), *quiet.policies[1:])
    found = replace(quiet, policies=policies, targets=(first, second, third, *quiet.targets[3:]), refused_files=(evil,))
    async with evening(tmp_path, found) as (here, link), visiting(browser, with_token(link)) as visit:
        await here.journal.record(crowded(NOW - 246))
        page = (await visit.shown()).page
        concern = page.locator("#needs-list li", has_text="is not taken up")
        await expect(concern.locator("code")).to_have_text("failoverctl check")
        await concern.get_by_role("button", name="Copy").click()
        assert await page.evaluate("navigator.clipboard.readText()") == "failoverctl check"
        await expect(page.locator("#cares-list a")).to_have_attribute("href", book)
        await expect(page.locator("#records tr", has_text="it was never read")).to_have_count(1)
        await expect(page.locator("#records .gone")).to_have_count(0)
        foreign = page.locator("#records tr", has_text="A (with a health check)")
        await expect(foreign.locator(".parts")).to_have_text("A (with a health check)")
        await expect(foreign.locator(".bars")).to_have_text("normal")
        await expect(page.locator("#records")).to_contain_text(re.compile(r"last seen 5\d s ago"))

        await page.get_by_role("button", name="What happened to inference-api").first.click()
        await page.get_by_role("button", name="1 h").click()
        marks = page.locator("#marks li")
        await expect(marks.filter(has_text="change.verified")).to_have_count(1)
        await expect(marks.filter(has_text="region.lost")).to_have_count(1)
        await expect(marks.filter(has_text=re.compile(r"and \d+ endpoint\.failed more"))).to_have_count(1)
        await innocent(visit, link)


def crowded(at: float) -> list[Event]:
    """Thirty endpoints fail one after the other, and a region is lost from sight, which is of no incident."""
    (failed,) = [each for each in incident(at) if isinstance(each, EndpointFailed)]
    where = {"policy": TARGET.policy, "region": "oci-ashburn", "record_type": "A", "was": "healthy"}
    lost = RegionLost(at=at + 4, score=0, evidence="dark", rule_at="api.yaml:24", **where)
    return [*(replace(failed, at=at + n / 10, endpoint=f"192.0.2.{n + 11}") for n in range(30)), lost]


async def test_no_mouse_is_needed(browser: Browser, tmp_path: Path) -> None:
    async with evening(tmp_path, evenings.moved(NOW)) as (_, link), visiting(browser, with_token(link)) as visit:
        page = (await visit.shown()).page
        keys = page.keyboard
        await keys.press("Tab")
        assert await focused(page) == "Skip to the records"
        assert await page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
        await keys.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "records"
        await keys.press("Tab")
        assert await focused(page) == "Copy: failoverctl hold inference-api --reason TEXT --for 1h"
        await keys.press("Enter")
        await expect(page.locator("#busy-rows .copy")).to_have_text("Copied")
        assert await page.evaluate("navigator.clipboard.readText()") == (
            "failoverctl hold inference-api --reason TEXT --for 1h"
        )
        await keys.press("Tab")
        assert await focused(page) == "What happened to inference-api"
        await keys.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "timeline"
        await keys.press("/")
        assert await page.evaluate("document.activeElement.id") == "filter"
        await keys.type("shop t")
        await expect(page.locator("#records-note")).to_contain_text("0 records like")
        await keys.press("Escape")
        await expect(page.locator("#busy-rows tr")).to_have_count(1)
        await keys.press("t")
        await expect(page.locator("#theme")).to_have_text("Theme: light")
        await keys.press("t")
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        await innocent(visit, link)


async def focused(page: Page) -> str:
    found: str = await page.evaluate(
        "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
    )
    return found


async def test_a_thousand_policies_are_found_by_name_and_not_all_of_them_shown(
    browser: Browser, tmp_path: Path
) -> None:
    async with evening(tmp_path, evenings.crowd(NOW)) as (_, link), visiting(browser, with_token(link)) as visit:
        page = (await visit.shown()).page
        await expect(page.locator("#counts")).to_have_text("1000 policies; records: 143 moved or degraded, 857 well")
        await expect(page.locator("#busy-rows tr")).to_have_count(20)
        await expect(page.locator("#records-note")).to_contain_text("the worst 100 of 143 that are not well")
        await page.locator("#more").click()
        await expect(page.locator("#busy-rows tr")).to_have_count(100)
        await page.locator("#filter").fill("shop-0990")
        await expect(page.locator("#records tr", has_text="shop-0990.example.com")).to_be_visible()
        await expect(page.locator("#records-note")).to_have_text("1 record like “shop-0990”")
        await page.locator("#filter").fill("*[?")
        await expect(page.locator("#records-note")).to_contain_text("0 records like")
        await innocent(visit, link)


async def test_who_has_no_token_sees_a_door_and_who_could_change_something_is_not_let_in(
    browser: Browser, tmp_path: Path
) -> None:
    async with evening(tmp_path, evenings.quiet(NOW)) as (here, link), visiting(browser, link) as visit:
        page = visit.page
        door = page.locator("#door")
        await expect(door).to_be_visible()
        await expect(page.locator("#all")).to_be_hidden()
        await usable(page)
        for token, wrong in (("nobody-has-this-token", "nobody has that token"), (OPERATOR, "nothing for a browser")):
            await page.locator("#token").fill(token)
            await page.keyboard.press("Enter")
            await expect(page.locator("#door-error")).to_contain_text(wrong)
            await expect(page.locator("#token")).to_have_value("")
        await page.locator("#token").fill(READER)
        await page.get_by_role("button", name="Show the page").click()
        await expect(page.locator("#headline")).to_have_text("all well: 6 policies")
        await expect(door).to_be_hidden()
        assert await page.evaluate("document.cookie") == "", "no script reads it"
        await page.reload()
        await expect(page.locator("#headline")).to_have_text("all well: 6 policies")
        status = await page.evaluate("fetch('/v1/reload', {method: 'POST'}).then((answer) => answer.status)")
        assert (status, here.reloads) == (403, [])
