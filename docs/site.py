"""What mkdocs is to know besides mkdocs.yml: pages that are not in this folder, and files that pages link to.

Pages are written to be read in the repository, so their links are those of the repository: `docs/health.md` in the
README, `../systemd/failoverd.service` in a page. Here they become links within the site. What a page links to outside
of docs/ comes along under `files/`, as it is; of a folder, all of its files, each shown on one page.
"""

import re
from functools import partial
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""The pages of the repository that are not in docs/, and what they are called in the site."""

_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
_FENCE = re.compile(r"^(```\w+) .+$", re.MULTILINE)
"""A block that is marked for the tests, "```yaml policy": mkdocs takes the language alone."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add what stands outside of docs/: our pages, and whatever a page links to."""
    for name, uri in PAGES.items():
        files.append(File.generated(config, uri, content=(ROOT / name).read_text()))
    for file in list(files.documentation_pages()):
        text = file.content_string
        for link, _ in _LINK.findall(text):
            target = _target(file.src_uri, link)
            for added in _brought(target, config):
                if files.get_file_from_path(added.src_uri) is None:
                    files.append(added)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - as mkdocs calls it
    """The links of the repository as links of the site."""
    if page.file.src_uri.startswith("files/"):
        return markdown
    moved = _LINK.sub(partial(_moved, page.file.src_uri), markdown)
    return _FENCE.sub(r"\1", moved)


def _moved(uri: str, found: re.Match[str]) -> str:
    return _uri(_target(uri, found[1])) + (found[2] or "")


def _target(uri: str, link: str) -> Path:
    """What a link on the page of that name leads to, in the repository."""
    folder = ROOT if uri in PAGES.values() else ROOT / "docs"
    target = (folder / link).resolve()
    if not target.is_relative_to(ROOT) or not target.exists():
        raise PluginError(f"{uri} links to {link}, which is not there")
    return target


def _uri(target: Path) -> str:
    """The same, in the site. All pages that we write are at its top, so that is a link as well."""
    name = target.relative_to(ROOT).as_posix()
    if name.startswith("docs/"):
        return name.removeprefix("docs/")
    if target.is_dir():
        return f"files/{name}/index.md"
    return PAGES.get(name, f"files/{name}")


def _brought(target: Path, config: MkDocsConfig) -> list[File]:
    """The files of the site that such a link needs, besides those of docs/."""
    uri = _uri(target)
    if not uri.startswith("files/"):
        return []
    if target.is_file():
        return [File.generated(config, uri, abs_src_path=str(target))]
    inside = [path for path in sorted(target.rglob("*")) if path.is_file()]
    shown = [f"## {path.relative_to(target)}\n\n````{_language(path)}\n{path.read_text()}````\n" for path in inside]
    return [File.generated(config, uri, content=f"# {target.relative_to(ROOT)}\n\n" + "\n".join(shown))]


def _language(path: Path) -> str:
    return path.suffix.removeprefix(".") if path.suffix in {".yaml", ".json"} else "text"
