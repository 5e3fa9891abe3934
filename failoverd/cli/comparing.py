"""`failoverctl review`: what a change of files does, by two revisions, folders or files, without a daemon."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from failoverd.cli.defaults import CONFIG
from failoverd.cli.failing import print_json, print_text, told
from failoverd.cli.markdown import as_markdown
from failoverd.cli.options import Exit, Output, ReviewFormat
from failoverd.cli.progress_line import progress
from failoverd.cli.revisions import PREFIX, checked_out
from failoverd.cli.telling_comparisons import Reviewed, as_json, as_text
from failoverd.config.diagnostics import Diagnostic
from failoverd.config.loader import Config, PolicySet, load_config, load_paths
from failoverd.core.errors import ConfigError, FailoverdError
from failoverd.core.records import Policy
from failoverd.installed import kinds
from failoverd.operations.policy_changes import PolicyFiles
from failoverd.operations.waiting import Stage, Waiting
from failoverd.simulation.comparison import Comparison, compare_files
from failoverd.simulation.worksheet import Endless


@dataclass(frozen=True, slots=True)
class ReviewWanted:
    """What is compared. `new`: "" for the files as they are. `folder`: where they are; None where nobody said it."""

    old: str
    new: str = ""
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class _Side:
    """The files of one side, by what it is called; `found` is None where there were none."""

    said: str
    found: PolicySet | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def wrong(self) -> bool:
        return any(each.is_error for each in self.diagnostics)


def review(wanted: ReviewWanted, config: Path, output: Output, form: ReviewFormat, *, named: bool) -> Exit:
    """Show what it does. `named`: the configuration was named on the command line."""
    with told():
        known = _config(config, named=named)
        with _read(wanted.old, wanted, known) as old, _read(wanted.new, wanted, known) as new:
            reviewed = Reviewed(old.said, new.said, _compare(old, new), old.diagnostics, _news(old, new))
        if output is Output.JSON:
            print_json(as_json(reviewed).model_dump())
        elif form is ReviewFormat.MARKDOWN:
            print_text(as_markdown(reviewed))
        else:
            print_text(as_text(reviewed))
    if new.wrong or reviewed.comparison.broken:
        return Exit.FAILED
    return Exit.PENDING if reviewed.comparison.differs else Exit.FINE


def _compare(old: _Side, new: _Side) -> Comparison:
    if old.found is None and new.found is None:
        raise ConfigError(
            f"nothing can be compared: there is no policy file at {old.said}, and none at {new.said}",
            reason="no_policies",
            remedy="name their folder: --folder policies",
        )
    before = _files(old.found, None)
    with progress() as waits:
        try:
            after = _files(new.found, before)
            return compare_files(before, after, lambda done, of: waits(Waiting(Stage.WEIGHING, done, of)))
        except Endless as error:
            raise FailoverdError(
                f"nothing can be compared: {error}",
                reason="never_settled",
                remedy="failoverctl prove names these policies",
            ) from error


def _files(found: PolicySet | None, before: PolicyFiles | None) -> PolicyFiles:
    """What would be at work: of a file that does not load, what was there `before`."""
    if found is None:
        return PolicyFiles({})
    had = before or PolicyFiles({})
    kept = {name: policy for name, policy in had.policies.items() if _stays(policy, found)}
    return PolicyFiles(
        {**kept, **found.policies},
        found.rules if found.rules is not None else had.rules,
        found.maintenance if found.maintenance is not None else had.maintenance,
        found.practices if found.practices is not None else had.practices,
    )


def _stays(policy: Policy, found: PolicySet) -> bool:
    """Whether its file is one of those that do not load, by the name that it says, or by its own."""
    name = Path(policy.source.file).name
    return any(each.named == policy.name or Path(file).name == name for file, each in found.rejected.items())


def _news(old: _Side, new: _Side) -> tuple[Diagnostic, ...]:
    """What is wrong with the new files: every error, and warnings that the old ones did not have."""
    had = {(Path(each.file).name, each.code, each.message) for each in old.diagnostics}
    return tuple(
        each for each in new.diagnostics if each.is_error or (Path(each.file).name, each.code, each.message) not in had
    )


# -- where they are ----------------------------------------------------------------------------------------------------


def _config(path: Path, *, named: bool) -> Config | None:
    """The configuration: the one that was named, or lies here. No other one of this machine is heeded."""
    here = Path(Path(CONFIG).name)
    file = path if named else here if here.exists() else None
    if file is None:
        return None
    loaded = load_config(file, kinds())
    if loaded.config is None:
        wrong = next((str(each) for each in loaded.diagnostics if each.is_error), "it does not load")
        raise ConfigError(
            f"{file}: {wrong}", reason="config_invalid", remedy="failoverctl check says all that is wrong with it"
        )
    return loaded.config


@contextmanager
def _read(said: str, wanted: ReviewWanted, config: Config | None) -> Iterator[_Side]:
    """One side: a revision, if it is called one or is no file that is here."""
    place = _usual_place(wanted, config)
    path = Path(said) if said else place
    if not said.startswith(PREFIX) and path.exists():
        yield _load(str(path), [path], config)
        return
    folder = place if place.is_dir() else place.parent
    revision = said if said.startswith(PREFIX) else f"{PREFIX}{said}"
    with checked_out(folder, revision, may_be_empty=True) as there:
        paths = [there if place.is_dir() else there / place.name]
        side = _load(said, [each for each in paths if each.is_file() or any(each.glob("*"))], config)
        yield replace(side, diagnostics=tuple(_at_home(each, there, folder, said) for each in side.diagnostics))


def _usual_place(wanted: ReviewWanted, config: Config | None) -> Path:
    """Where the files are that a revision may have, too."""
    if wanted.folder is not None:
        if not wanted.folder.exists():
            raise ConfigError(f"{wanted.folder} is not there", reason="no_such_file", remedy="name a folder that is")
        return wanted.folder
    named = next((Path(each) for each in (wanted.new, wanted.old) if _is_here(each)), None)
    return named or (config.policies if config is not None else Path())


def _is_here(said: str) -> bool:
    return bool(said) and not said.startswith(PREFIX) and Path(said).exists()


def _load(said: str, paths: list[Path], config: Config | None) -> _Side:
    if not paths:
        return _Side(said, None, ())
    found = load_paths(paths, kinds(), config)
    return _Side(said, found, found.diagnostics)


def _at_home(found: Diagnostic, there: Path, folder: Path, said: str) -> Diagnostic:
    """As of the revision (git reads `main:./policies/api.yaml`), and not of where its files lie for now."""
    lies = folder if folder.is_absolute() or str(folder) == "." else f"./{folder}"
    file, message = (words.replace(f"{there}/", f"{said}:{lies}/") for words in (found.file, found.message))
    return replace(found, file=file, message=message)
