"""Debian's Chromium, headless, and what it did: whom it asked, what it complained about, what it was kept from.

One browser is enough for many visits: each has a profile of its own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, async_playwright
from support import evenings
from support.api import NOW, House, elsewhere, heard
from support.journals import incident, plan
from support.servers import program

from failoverd.config.schema.config_file import ApiEntry
from failoverd.core.status import Overview
from failoverd.ports import ChangeOutcome

QUIETLY = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--font-render-hinting=none",
)  # fmt: skip

DESKTOP, PHONE, SMALL = (1280, 900), (390, 844), (360, 740)
Theme = Literal["light", "dark"]

READER, OPERATOR = "the-token-of-who-reads", "the-token-of-who-operates"

_WATCH = """
window.kept = [];
document.addEventListener("securitypolicyviolation", (event) => window.kept.push(event.violatedDirective));
"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program("chromium"), args=list(QUIETLY))
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visit:
    """One profile with one page open.

    Attributes:
        asked: addresses that it asked for anything.
        complaints: errors and warnings on its console, and exceptions that nobody caught.
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def kept_from(self) -> list[str]:
        """What its policy did not let it do."""
        found: list[str] = await self.page.evaluate("window.kept")
        return found

    async def shown(self) -> "Visit":
        """Once everything is there that it shows at first."""
        await self.page.locator("#all:not([hidden])").wait_for()
        await self.page.locator("#timeline-note:not(:empty)").wait_for()
        return self


@asynccontextmanager
async def visiting(
    browser: Browser, link: str, size: tuple[int, int] = DESKTOP, theme: Theme = "light", *, clock: bool = False
) -> AsyncIterator[Visit]:
    """`clock`: its time can be put forward."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=theme, reduced_motion="reduce"
    )
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    try:
        page = await context.new_page()
        visit = Visit(page)
        page.on("request", lambda request: visit.asked.append(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: visit.complaints.append(said.text) if said.type in {"error", "warning"} else None,
        )
        await page.add_init_script(_WATCH)
        if clock:
            await page.clock.install()
        await page.goto(link)
        yield visit
    finally:
        await context.close()


@asynccontextmanager
async def evening(folder: Path, found: Overview) -> AsyncIterator[tuple[House, str]]:
    """Things stand so, and an incident is in the journal. Gives the link for who may read."""
    lines = (
        f"{name} {role} {sha256(token.encode()).hexdigest()} 2099-01-01T00:00:00Z\n"
        for name, role, token in (("screen", "read", READER), ("deploy", "operate", OPERATOR))
    )
    (folder / "tokens").write_text("".join(lines))
    async with heard(folder, ApiEntry(tcp=elsewhere(tokens_file=folder / "tokens"))) as here:
        here.stands(found)
        await here.journal.update_status([*found.policies, *found.regions, *found.targets])
        await remembered(here)
        yield here, f"http://127.0.0.1:{here.api.port}/"


async def remembered(here: House) -> None:
    """How a region of the first policy fell four minutes ago, and its traffic moved."""
    fell, made = NOW - 247, plan("chg-1")
    await here.journal.record([each for each in incident(fell) if each.name != "policy.loaded"])
    await here.journal.intend(made, fell + 0.25)
    await here.journal.settle(made, ChangeOutcome.APPLIED, "", fell + 0.3)


def with_token(link: str, token: str = READER) -> str:
    return f"{link}#token={token}"


SCENES = {
    "well": (evenings.quiet, DESKTOP, "light"),
    "moved": (evenings.moved, DESKTOP, "dark"),
    "bad-night": (evenings.bad, DESKTOP, "light"),
    "bad-night-dark": (evenings.bad, DESKTOP, "dark"),
    "bad-night-phone": (evenings.bad, PHONE, "dark"),
    "moved-phone": (evenings.moved, SMALL, "light"),
    "crowd": (evenings.crowd, DESKTOP, "dark"),
}
