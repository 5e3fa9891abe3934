"""The page of a simulation in a real browser: nothing is kept from it, it fits, and it is whole without its script."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect
from support import courses
from support.browsers import DESKTOP, SMALL, Theme, chromium, visiting

from failoverd.cli.course_page.whole_page import page
from failoverd.simulation.course import Course

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

OVERLAPPING = """() => {
  const found = [], room = 2;
  const meet = (one, other) =>
    one.left < other.right && other.left < one.right
    && one.top + room < other.bottom - room && other.top + room < one.bottom - room;
  for (const plot of document.querySelectorAll(".plot > svg")) {
    const seen = [...plot.querySelectorAll("text")].filter((each) => each.checkVisibility());
    const boxes = seen.map((each) => each.getBoundingClientRect());
    boxes.forEach((one, number) => boxes.slice(number + 1).forEach((other, after) => {
      if (meet(one, other)) found.push([seen[number].textContent, seen[number + 1 + after].textContent]);
    }));
  }
  return found;
}"""
"""Words of a picture that stand upon each other."""

TABLET = (820, 1180)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as found:
        yield found


def written(folder: Path, *found: Course, what_if: str = "") -> str:
    file = folder / "it.html"
    file.write_text(page(found, what_if))
    return file.as_uri()


@pytest.mark.parametrize(("size", "theme"), [(DESKTOP, "light"), (TABLET, "dark"), (SMALL, "dark")])
@pytest.mark.parametrize("which", ["death", "variant", "day", "hours", "nothing", "long names"])
async def test_it_fits_every_screen_and_nothing_is_kept_from_it(
    browser: Browser, tmp_path: Path, which: str, size: tuple[int, int], theme: Theme
) -> None:
    made = {
        "death": [courses.course(courses.lost(), courses.still())],
        "variant": [courses.death(), courses.later()],
        "day": [courses.day(2)],
        "hours": [courses.course(courses.lost(), lasted=7_200.0)],
        "nothing": [courses.nothing()],
        "long names": [courses.with_long_names()],
    }[which]
    link = written(tmp_path, *made, what_if="failback.after=10m" if which == "variant" else "")
    async with visiting(browser, link, size, theme) as visit:
        assert set(visit.asked) <= {""}
        assert visit.complaints == []
        assert await visit.kept_from() == []
        wide, window = await visit.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window
        assert await visit.page.evaluate(OVERLAPPING) == []
        if which in {"death", "variant"}:
            found = await Axe().run(visit.page, options=AXE)
            assert found.violations_count == 0, found.generate_report()


async def test_what_is_under_the_cursor_is_read_off_the_picture(browser: Browser, tmp_path: Path) -> None:
    async with visiting(browser, written(tmp_path, courses.death())) as visit:
        readout = visit.page.locator("#readout")
        await expect(readout).to_be_hidden()

        async def under(figure: str, part: float) -> str:
            plot = visit.page.locator("figure", has_text=figure).locator(".plot").first
            await plot.scroll_into_view_if_needed()
            box = await plot.bounding_box()
            assert box is not None
            await visit.page.mouse.move(box["x"] + box["width"] * part, box["y"] + box["height"] / 2)
            await expect(readout).to_be_visible()
            return await readout.inner_text()

        assert (await under("Weights", 0.1)).split() == ["1m", "west", "70", "%", "east", "30", "%"]
        assert (await under("Weights", 0.5)).split() == ["5m", "west", "0", "%", "east", "100", "%"]
        assert "down" in await under("Health", 0.5)
        assert "70 %" in await under("Clients at dead regions", 0.205)
        assert "10.5 USD/h" in await under("Cost", 0.5)
        await visit.page.mouse.move(1, 1)
        await expect(readout).to_be_hidden()
        assert visit.complaints == []


async def test_it_is_whole_without_its_script(browser: Browser, tmp_path: Path) -> None:
    link = written(tmp_path, courses.death())
    context = await browser.new_context(java_script_enabled=False, viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    try:
        seen = await context.new_page()
        await seen.goto(link)
        await expect(seen.locator("main")).to_contain_text("west 70 -> 0, east 30 -> 100")
        await expect(seen.locator('.plot svg[role="img"]').first).to_be_visible()
        # moments, weights, health, clients, cost, two loads, and three axes of time
        assert await seen.locator('.plot svg[role="img"]').count() == 10
    finally:
        await context.close()


async def test_on_paper_it_is_light_and_keeps_within_the_sheet(browser: Browser, tmp_path: Path) -> None:
    link = written(tmp_path, courses.death(), courses.later(), what_if="failback.after=10m")
    async with visiting(browser, link, (718, 1000), "dark") as visit:
        await visit.page.emulate_media(media="print")
        wide = await visit.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 718
        assert (
            await visit.page.evaluate("getComputedStyle(document.querySelector('.wide')).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        await expect(visit.page.locator(".bar")).to_be_hidden()
