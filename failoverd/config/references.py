"""Whether a policy file names things that exist. Looks at plain data, so it works on a file that has other errors."""

from collections.abc import Collection, Iterator

from failoverd.config.diagnostics import Code, Diagnostic, shown, suggestion
from failoverd.config.documents import Document


def references(document: Document, regions: Collection[str] | None, providers: Collection[str]) -> Iterator[Diagnostic]:
    """Say every region and provider that does not exist.

    Args:
        document: a policy file.
        regions: the names in the inventory; None when the inventory did not load.
        providers: the names in the daemon's configuration.
    """
    named = document.find(("regions",))
    if regions is not None and isinstance(named, dict):
        yield from _regions(document, list(named), sorted(regions))
    records = document.find(("records",))
    for index, record in enumerate(records if isinstance(records, list) else ()):
        used = record.get("providers") if isinstance(record, dict) else None
        if isinstance(used, list):
            yield from _providers(document, index, used, sorted(providers))


def _regions(document: Document, named: list[str], known: list[str]) -> Iterator[Diagnostic]:
    for name in named:
        if name not in known:
            message = f"region {shown(name)} is not in the inventory"
            hint = suggestion(name, known)
            yield document.diagnose(Code.UNKNOWN_REGION, ("regions", name), message, hint, key=True)


def _providers(document: Document, record: int, used: list[object], known: list[str]) -> Iterator[Diagnostic]:
    for index, name in enumerate(used):
        place = ("records", record, "providers", index)
        if isinstance(name, str) and name not in known:
            message = f"provider {shown(name)} is not in the daemon's configuration"
            yield document.diagnose(Code.UNKNOWN_PROVIDER, place, message, suggestion(name, known))
        elif name in used[:index]:
            yield document.diagnose(Code.RECORD_CONFLICT, place, f"provider {shown(name)} is written twice")
