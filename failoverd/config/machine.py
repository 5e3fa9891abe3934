"""What the daemon's configuration needs of the machine that it is to run on. Looks at files; opens no connection."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel

from failoverd.config.coordinating import MEMBER_VARIABLE, Coordination, unsaid
from failoverd.config.diagnostics import Code, Diagnostic, Severity
from failoverd.config.documents import Document, read
from failoverd.config.drafts import ProviderEntry
from failoverd.config.loader import Config
from failoverd.config.tree import Place
from failoverd.files import CREDENTIALS, remedy_for, require_regular
from failoverd.ports import ProviderKind


def lacking(config: Config) -> Iterator[Diagnostic]:
    """What is not there. Warnings where it may be there for the service all the same."""
    document = read(config.file).document
    if document is None:
        return
    yield from _coordination(document, config.coordination)
    writes = config.coordination is None or config.coordination.may_lead
    for name, entry in config.providers.items() if writes else ():  # a vantage needs no credentials
        yield from _sdk(document, name, entry)
        for place, path in _files(entry.settings, ("providers", name)):
            yield from _file(document, place, path)
    for receiver in config.notify:
        for place, path in _files(receiver.settings, ("notify", receiver.name)):
            yield from _file(document, place, path)
    for name, source in config.prometheus.items():
        for place, path in _files(source, ("prometheus", name)):
            yield from _file(document, place, path)
    for place, path in _files(config.api, ("api",)):
        yield from _file(document, place, path)
    yield from _journal(document, config.journal)


def _coordination(document: Document, said: Coordination | None) -> Iterator[Diagnostic]:
    if said is None:
        return
    for place, path in _files(said.engine, ("coordination", "etcd")):
        yield from _file(document, place, path)
    if not said.member:
        names = ", ".join(each.name for each in said.members)
        message = f"{unsaid()}; the members are {names}"
        place = ("coordination", "members")
        hint = f"write `member`, or set {MEMBER_VARIABLE} for the service; where no daemon runs it does not matter"
        yield document.diagnose(Code.MEMBER_UNSAID, place, message, hint, key=True, severity=Severity.WARNING)


def _sdk(document: Document, name: str, entry: ProviderEntry) -> Iterator[Diagnostic]:
    if lacks := missing_sdk(entry.kind):
        message = f"provider {name} ({entry.kind.name}) {lacks}"
        yield document.diagnose(Code.SDK_MISSING, ("providers", name, "kind"), message, entry.kind.brought_by)


def missing_sdk(kind: ProviderKind) -> str:
    """Which modules of its SDK a kind lacks, in words; empty where all are there."""
    missing = [module for module in kind.sdk if not _installed(module)]
    are = "is" if len(missing) == 1 else "are"
    return f"needs {' and '.join(missing)}, which {are} not installed" if missing else ""


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that it would be in
        return False


def _files(settings: BaseModel, place: Place) -> Iterator[tuple[Place, Path]]:
    """Every file that the settings name, wherever in them."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from _files(value, (*place, name))
        elif isinstance(value, Path):
            yield (*place, name), value


def _file(document: Document, place: Place, path: Path) -> Iterator[Diagnostic]:
    try:
        require_regular(path)
        path.open("rb").close()
    except OSError as error:
        later = str(path).startswith(CREDENTIALS)
        doubtful = later or isinstance(error, PermissionError)
        message = f"{path} cannot be read: {error.strerror}"
        hint = remedy_for(
            path,
            "the user that failoverd runs as has to be able to read it"
            if doubtful
            else "put a file there; a path that is not absolute begins at the folder of this file",
        )
        severity = Severity.WARNING if doubtful else Severity.ERROR
        yield document.diagnose(Code.FILE_MISSING, place, message, hint, severity=severity)


def _journal(document: Document, path: Path) -> Iterator[Diagnostic]:
    """The daemon makes the folder if it may, and steers without a journal if it may not: that is worth a look."""
    folder = next(each for each in path.absolute().parents if each.exists())
    if not folder.is_dir():
        words, severity = f"{folder} is not a folder", Severity.ERROR
    elif path.exists() and not path.is_file():
        words, severity = f"{path} is not a regular file", Severity.ERROR
    elif folder != path.absolute().parent:
        words, severity = f"the folder {path.parent} is not there", Severity.WARNING
    elif not os.access(folder, os.W_OK):
        words, severity = f"whoever runs this may not write into {folder}", Severity.WARNING
    else:
        return
    hint = (
        "the user that failoverd runs as needs a folder of its own; without a journal a restart forgets what was done"
    )
    yield document.diagnose(Code.JOURNAL_PLACE, ("journal",), words, hint, severity=severity)
