"""The site: built strictly from the pages of docs/, whole in itself, and with nothing left out."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ELSEWHERE = re.compile(r"(?:[a-z]+:)?//", re.IGNORECASE)
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


class Read(HTMLParser):
    """A page as a browser takes it: what it fetches by itself, where it leads to, and what can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.anchors.update(filter(None, (said.get("id"), said.get("name"))))
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        elif tag == "link" and "canonical" not in said.get("rel", ""):
            self.fetched.append(said["href"])
        elif "src" in said:
            self.fetched.append(said["src"])


def led_astray(page: Path, links: list[str], pages: dict[Path, Read]) -> Iterator[str]:
    """The links within the site that lead to no file, or to no place in it."""
    for link in links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        target = target / "index.html" if target.is_dir() else target
        anchored = not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].anchors
        if not target.is_file() or not anchored:
            yield f"{page.name}: {link}"


@pytest.mark.slow
def test_it_is_built_strictly_and_every_link_leads_somewhere_and_nothing_is_fetched_from_elsewhere(
    tmp_path: Path,
) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, **NO_NETWORK, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stdout + built.stderr) == (0, "")

    pages = {path: Read(path.read_text()) for path in tmp_path.rglob("*.html")}
    names = {path.relative_to(tmp_path).as_posix() for path in pages}
    assert {f"{page.stem}.html" for page in DOCS.glob("*.md")} | {"index.html", "changelog.html"} <= names
    assert (tmp_path / "files" / "systemd" / "failoverd-ping.conf").is_file()
    lost = [each for path, page in pages.items() for each in led_astray(path, [*page.links, *page.fetched], pages)]
    assert [each for each in lost if not each.startswith("404.html")] == []

    fetched = {each for page in pages.values() for each in page.fetched}
    assert [each for each in fetched if ELSEWHERE.match(each)] == []
    styles = " ".join(path.read_text() for path in tmp_path.rglob("*.css"))
    asked = re.findall(r"url\(['\"]?([^)'\"]+)|@import\s+['\"]([^'\"]+)", styles)
    assert [each for each in asked if any(map(ELSEWHERE.match, each))] == []
    # The theme fetches mermaid from elsewhere where a page has a drawing in it.
    assert [path.name for path in pages if 'class="mermaid"' in path.read_text()] == []


def test_every_page_is_in_the_navigation_and_in_the_readme() -> None:
    navigation = set(re.findall(r"^ +- .+: ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    readme = set(re.findall(r"\]\(docs/([\w-]+\.md)", (ROOT / "README.md").read_text()))
    pages = {page.name for page in DOCS.glob("*.md")}
    assert sorted(pages - navigation) == [], "give each a line under `nav` in mkdocs.yml"
    assert sorted(pages - readme) == [], "give each a row in the table at the end of README.md"
