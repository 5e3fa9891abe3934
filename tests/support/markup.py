"""Pages, read as strictly as they are written: what is opened is closed, in its order."""

from html.parser import HTMLParser

VOID = {"meta"}


class Strict(HTMLParser):
    """Every tag that is opened is closed in its order; attributes are noted."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str, part: str = "") -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag and part in attributes.get("class", "")]


def read(html: str) -> Strict:
    strict = Strict()
    strict.feed(html)
    strict.close()
    assert strict.open == []
    return strict
