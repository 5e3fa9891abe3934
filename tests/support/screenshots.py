"""Pictures of pages, for a person's eye: `python -m support.screenshots FOLDER`, as `make screenshots` does.

Each is of a whole page. `page.png` and `simulation.png` beside them are those in docs: what is seen without scrolling.
"""

import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from support import courses, evenings
from support.api import NOW
from support.browsers import DESKTOP, SCENES, SMALL, Theme, chromium, evening, visiting, with_token
from support.manual import POLICIES, REAL_KINDS

from failoverd.cli.course_page.whole_page import page as course_page
from failoverd.config.scenario_files import load_scenario
from failoverd.core.status import Overview
from failoverd.simulation.course import Course
from failoverd.simulation.simulating import simulate
from failoverd.simulation.trial import site_of


async def pictures(folder: Path) -> None:
    async with chromium() as browser:

        async def picture(
            name: str, found: Overview, size: tuple[int, int], theme: Theme, *, old: bool = False
        ) -> None:
            with tempfile.TemporaryDirectory() as place:
                async with (
                    evening(Path(place), found) as (_, link),
                    visiting(browser, with_token(link), size, theme, clock=True) as visit,
                ):
                    await visit.shown()
                    await visit.page.evaluate("document.fonts.ready")
                    if old:
                        await visit.page.context.set_offline(True)
                        await visit.page.clock.fast_forward(30_000)
                        await visit.page.locator("body.old").wait_for()
                    await visit.page.wait_for_timeout(300)
                    await visit.page.screenshot(path=folder / f"{name}.png", full_page=name != "page")

        for name, (found, size, theme) in SCENES.items():
            await picture(name, found(NOW), size, "dark" if theme == "dark" else "light")
        await picture("old", evenings.moved(NOW), DESKTOP, "light", old=True)
        await picture("page", evenings.moved(NOW), (1180, 860), "light")


async def simulations(folder: Path, played: Course) -> None:
    """Of one that was played, and of some that are made by hand."""
    found = {
        "simulation-phone": ([played], "", SMALL, "dark"),
        "simulation-day": ([courses.day()], "", DESKTOP, "light"),
        "simulation-what-if": ([courses.death(), courses.later()], "failback.after=10m", DESKTOP, "dark"),
        "simulation": ([played], "", (1180, 1090), "light"),
    }
    async with chromium() as browser:
        for name, (shown, what_if, size, theme) in found.items():
            with tempfile.TemporaryDirectory() as place:
                file = Path(place) / "page.html"
                file.write_text(course_page(shown, what_if, POLICY if played in shown else ""))
                async with visiting(browser, file.as_uri(), size, "dark" if theme == "dark" else "light") as visit:
                    await visit.page.screenshot(path=folder / f"{name}.png", full_page=name != "simulation")


SHIPPED: Final = POLICIES / "scenarios" / "region-dies.scenario.yaml"
POLICY: Final = "inference-api"


def played_here(file: Path) -> Course:
    """What came of it."""
    found = load_scenario(file, REAL_KINDS).scenario
    assert found is not None
    return simulate(replace(found, file=str(file.relative_to(POLICIES.parent))), site_of(found.found))


if __name__ == "__main__":
    to = Path(sys.argv[1])
    to.mkdir(parents=True, exist_ok=True)
    asyncio.run(simulations(to, played_here(SHIPPED)))
    asyncio.run(pictures(to))
