"""Pictures of the page, for a person's eye: `python -m support.screenshots FOLDER`, as `make screenshots` does.

Each is of the whole page. `page.png` beside them is the one in docs: what is seen without scrolling.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from support import evenings
from support.api import NOW
from support.browsers import DESKTOP, SCENES, Theme, chromium, evening, visiting, with_token

from failoverd.core.status import Overview


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


if __name__ == "__main__":
    to = Path(sys.argv[1])
    to.mkdir(parents=True, exist_ok=True)
    asyncio.run(pictures(to))
