"""`failoverctl check` and `schema`: what is wrong with the files, all of it at once, and what they may say."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from failoverd.api.routes import document
from failoverd.cli.failing import print_json, print_text, told
from failoverd.cli.options import CheckOutput, Exit, FileKind, config_at_hand
from failoverd.cli.sarif import as_sarif
from failoverd.cli.screen import shown
from failoverd.config.diagnostics import Code, Diagnostic, Severity, about_file, in_order
from failoverd.config.documents import read
from failoverd.config.jsonschema import config_schema, inventory_schema, policy_schema, scenario_schema, schema_of_tests
from failoverd.config.listing import in_folders, named_yaml
from failoverd.config.loader import Config, PolicySet, load_config, load_paths, load_policies
from failoverd.config.machine import lacking
from failoverd.config.scenario_files import holds_scenarios, wrong_scenarios
from failoverd.config.schema.config_file import ApiTcpEntry
from failoverd.config.test_files import is_test_file, tests_of, wrong_tests
from failoverd.core.errors import ConfigError, JournalError
from failoverd.files import CREDENTIALS
from failoverd.installed import kinds, unfit
from failoverd.telemetry import catalogue
from failoverd.telemetry.phrases import counted


def print_schema(kind: FileKind) -> None:
    """Print the JSON Schema of a kind of file or of a line of the log, or the OpenAPI document."""
    match kind:
        case FileKind.POLICY:
            print_json(policy_schema(kinds()))
        case FileKind.REGIONS:
            print_json(inventory_schema())
        case FileKind.CONFIG:
            print_json(config_schema(kinds()))
        case FileKind.TESTS:
            print_json(schema_of_tests())
        case FileKind.SCENARIO:
            print_json(scenario_schema())
        case FileKind.API:
            print_json(document())
        case FileKind.EVENTS:
            print_json(catalogue.schema())


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How it is told; `docs` is where these pages are, for SARIF, "" where nobody said."""

    output: CheckOutput = CheckOutput.TEXT
    docs: str = ""


def check_files(paths: Sequence[Path], config: Path, form: AnswerForm, *, named: bool) -> Exit:
    """Without paths, what the configuration names, be it the `failoverd.yaml` that lies here; or the policies here.

    `named`: the configuration was named on the command line. Paths are judged by nothing that nobody named.
    """
    if not paths:
        here, asked = Path(), config_at_hand(config, named=named)
        if asked is None and any(named_yaml(each.name) for each in here.iterdir()):
            return check_paths([here], None, form)
        return check_everything(asked or config, form)
    return check_paths(paths, config if named else None, form)


def check_everything(config: Path, form: AnswerForm, *, on_site: bool = False) -> Exit:
    """Load everything as the daemon would, without opening a connection, and print every diagnostic.

    What the daemon needs of this machine is looked at, too. `on_site`: this is how the daemon itself is to run, so that
    what it lacks is an error in any case; otherwise somebody else asks, who may see less than the service.
    """
    with told():
        loaded = load_config(config, kinds())
        diagnostics = list(loaded.diagnostics)
        policies: list[str] = []
        if loaded.config is not None:
            found = load_policies(loaded.config, kinds(), running={}, together=True)
            unable = list(unfit(loaded.config, found.policies.values()))
            missing = list(lacking(loaded.config))
            lacks = [*missing, *(_unfit(loaded.config, found, *each) for each in unable)]
            if loaded.config.api.tcp is not None and not any(each.code is Code.FILE_MISSING for each in missing):
                diagnostics += _of_api(loaded.config, loaded.config.api.tcp)
            diagnostics += [*found.diagnostics, *_idle(loaded.config, found)]
            diagnostics += tests_of([loaded.config.policies], found)[1]
            diagnostics += [replace(each, severity=Severity.ERROR) if on_site else each for each in lacks]
            held = {each.file for each in diagnostics if each.code is Code.CHECK_UNFIT and each.is_error}
            policies = sorted(policy.name for policy in found.policies.values() if policy.source.file not in held)
        return _told(diagnostics, policies, form)


def check_paths(paths: Sequence[Path], config: Path | None, form: AnswerForm) -> Exit:
    """Print what is wrong with these files and folders, held against the `config`, if there is one.

    Neither a daemon nor this machine has anything to do with it.
    """
    with told():
        configs = [path for path in paths if _is_configuration(path)]
        unnamed = [path for path in configs if path != config]
        diagnostics = [*in_folders(each for path in unnamed for each in load_config(path, kinds()).diagnostics)]
        loaded = load_config(config, kinds()) if config is not None else None
        if loaded is not None:
            diagnostics += loaded.diagnostics
        policies: list[str] = []
        if loaded is None or loaded.config is not None:
            rest = [path for path in paths if path not in configs and not holds_scenarios(path)]
            known = loaded.config if loaded is not None else None
            found = load_paths([path for path in rest if not is_test_file(path)], kinds(), known)
            diagnostics += [*found.diagnostics, *wrong_tests(rest, kinds(), known)]
            diagnostics += wrong_scenarios(paths, kinds(), known)
            policies = sorted(found.policies)
        return _told(diagnostics, policies, form)


def _is_configuration(path: Path) -> bool:
    """Whether it is a daemon's own file, by what it says: `failoverctl check *.yaml` may name it, too."""
    document = read(path).document if path.is_file() else None
    return document is not None and document.knows(("providers",)) and not document.knows(("policy",))


def _idle(config: Config, found: PolicySet) -> list[Diagnostic]:
    """Operators' overrides that concern none of the policies: a region was renamed under one, or a policy is gone.

    The journal knows them. Where it cannot be read, who may not read it is no fault of the files.
    """
    if not config.journal.exists():
        return []
    from failoverd.store.statuses import StatusReading  # noqa: PLC0415 - who has no journal waits for no SQLite

    try:
        with StatusReading(config.journal) as reading:
            words = reading.overrides(time.time())
    except JournalError:
        return []
    return [
        replace(
            about_file(
                Code.OVERRIDE_IDLE,
                str(config.file),
                f"{word.id} of {word.scope.text()} ({word.reason}) concerns nothing that these files name",
                f"it stays until its end; failoverctl release {word.id} ends it now",
            ),
            severity=Severity.WARNING,
        )
        for word in words
        if not word.over_by(time.time()) and not word.scope.everything
        if not any(word.scope.has_policy(policy) for policy in found.policies.values())
    ]


def _of_api(config: Config, said: ApiTcpEntry) -> Iterator[Diagnostic]:
    """What the API would not take up at a reload, and a certificate that nobody would take."""
    from failoverd.api.credentials import SOON, end_of, expiring, tls_of  # noqa: PLC0415 - for who has such an API
    from failoverd.api.tokens import AdminTokens  # noqa: PLC0415 - the same reason

    file = str(config.file)
    try:
        if said.tokens_file is not None:
            AdminTokens.read(said.tokens_file)
        if said.certificate_file is not None:
            tls_of(said)
    except ConfigError as error:
        yield about_file(Code.API_UNFIT, file, error.detail, error.remedy)
    if said.certificate_file is None:
        return
    now = time.time()
    end = end_of(said.certificate_file)
    if words := expiring(end, now, SOON):
        severity = Severity.ERROR if end is not None and end <= now else Severity.WARNING
        message, hint = f"{said.certificate_file}: {words}", "put another one there, then: failoverctl reload"
        yield replace(about_file(Code.API_UNFIT, file, message, hint), severity=severity)


def _unfit(config: Config, found: PolicySet, owner: str, error: ConfigError) -> Diagnostic:
    """Somebody else than the service may not be permitted to read what a check needs."""
    policy = found.policies.get(owner)
    seen = policy is None or not isinstance(_origin(error), PermissionError)
    severity = Severity.ERROR if seen and CREDENTIALS not in error.detail else Severity.WARNING
    place = policy.source.file if policy is not None else str(config.file)
    return replace(
        about_file(Code.CHECK_UNFIT, place, f"{error.detail} ({error.reason})", error.remedy), severity=severity
    )


def _origin(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _told(diagnostics: Iterable[Diagnostic], policies: Sequence[str], form: AnswerForm) -> Exit:
    found = in_order(diagnostics)
    failed = any(each.is_error for each in found)
    if form.output is CheckOutput.SARIF:
        print_json(as_sarif(found, form.docs))
    elif form.output is CheckOutput.JSON:
        print_json({"ok": not failed, "policies": policies, "diagnostics": [each.plain() for each in found]})
    else:
        said = [each.render() for each in found]
        verdict = _verdict(policies, len(found), failed=failed)
        print_text(shown("\n".join([*said, verdict]), lines=True))
    return Exit.FAILED if failed else Exit.FINE


def _verdict(policies: Sequence[str], found: int, *, failed: bool) -> str:
    names = ", ".join(policies) or "none"
    warned = f"; {counted(found, 'warning')}" if found else ""
    if failed:
        sound = counted(len(policies), "policy is sound", "policies are sound")
        return f"{counted(found, 'problem')}; {sound}: {names}\n"
    return f"fine: {counted(len(policies), 'policy', 'policies')}: {names}{warned}\n"
