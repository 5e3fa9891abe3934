"""From flags, and from answers where somebody is there to be asked, to a whole first configuration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from failoverd.cli.defaults import CONFIG
from failoverd.cli.failing import note, unknown, usage
from failoverd.cli.screen import shown
from failoverd.cli.starting import answers
from failoverd.cli.starting.answers import First, FirstRegion
from failoverd.cli.starting.interview import Person
from failoverd.config.diagnostics import suggestion
from failoverd.config.machine import missing_sdk
from failoverd.config.validation import known_keys
from failoverd.files import CREDENTIALS
from failoverd.installed import kinds
from failoverd.ports import ProviderKind
from failoverd.settings import Needed

T = TypeVar("T")

SERVICE: Final = Path(CONFIG).parent
"""The folder of the service: its user has no files of its own, and is handed secrets by systemd."""

_USUAL_KIND: Final = "rfc2136"
_OWNER: Final = "prod"
_JOURNAL: Final = "failoverd.db"
_CHECK: Final = "/health"


@dataclass(frozen=True, slots=True)
class Flags:
    """What was said on the command line; empty where it was not."""

    folder: Path
    provider: str = ""
    settings: Sequence[str] = ()
    zone: str = ""
    record: str = ""
    policy: str = ""
    regions: Sequence[str] = ()
    clouds: Sequence[str] = ()
    check: str = ""
    owner: str = ""
    journal: str = ""
    yes: bool = False


def gathered(flags: Flags, person: Person | None) -> First:
    """Everything that a first configuration needs. Without a `person`, what is not said has to have a default.

    Raises:
        typer.BadParameter: a flag says what would not load; or flags are missing, all of which are named.
    """
    kind = _kind(flags.provider, person)
    if lacks := missing_sdk(kind):
        note(f"{kind.name} {lacks}: {kind.brought_by}")
    settings = _said(kind, flags.settings)
    if person is None:
        _require(flags, kind, settings)
    settings = _needed(flags, kind, settings, person)
    only = kind.settings.model_fields["zones"].get_default(call_default_factory=True)
    zone = _one(
        person, "the zone that the record is in, such as example.com", "--zone", flags.zone,
        partial(answers.zone, kind), only[0] if isinstance(only, tuple) and only else "",
    )  # fmt: skip
    record = _one(
        person, "the whole name of the record that clients ask for", "--record", flags.record,
        partial(answers.record, zone), f"www.{zone}" if person is not None else "",
    )  # fmt: skip
    return First(
        kind=kind,
        settings=settings,
        zone=zone,
        record=record,
        policy=_flag("--policy", flags.policy, answers.policy) if flags.policy else answers.policy_of(record),
        regions=_regions(flags, person),
        check=_one(
            person, "how to see that an endpoint is well: a path that is asked for by HTTPS, or a URL such as "
            f"http://{record}/health, tcp://any:443 or icmp://any",
            "--check", flags.check, partial(answers.check, record), _CHECK,
        ),
        owner=_one(
            person, "who this installation is: the name by which it marks the records that it owns, and which no "
            "other installation has", "--owner", flags.owner, answers.owner, _OWNER,
        ),
        journal=_flag("--journal", flags.journal, answers.journal) if flags.journal else _usual_journal(flags.folder),
    )  # fmt: skip


def is_service(folder: Path) -> bool:
    return folder.absolute() == SERVICE


def _usual_journal(folder: Path) -> str:
    return "" if is_service(folder) else _JOURNAL


# -- what is missing ---------------------------------------------------------------------------------------------------


def _require(flags: Flags, kind: ProviderKind, settings: dict[str, Any]) -> None:
    said = {"--record NAME": flags.record, "--region NAME=ADDRESS": flags.regions, "--check URL": flags.check}
    if kind.settings.model_fields["zones"].is_required():
        said = {"--zone ZONE": flags.zone, **said}
    missing = [flag for flag, value in said.items() if not value]
    needs = (need for need in kind.needs if _is_open(need, settings) and not need.default and not need.optional)
    missing += [f"--set {need.key}=..." for need in needs]
    if missing:
        raise usage(f"nobody is there to be asked; say {', '.join(missing)}")


def _is_open(need: Needed, said: dict[str, Any]) -> bool:
    """Whether it is still to be asked."""
    if answers.said_at(said, need.key) is not None:
        return False
    if need.only_with and answers.said_at(said, need.only_with) is None:
        return False
    return not need.unless or answers.said_at(said, need.unless) is None


# -- the provider ------------------------------------------------------------------------------------------------------


def _kind(name: str, person: Person | None) -> ProviderKind:
    known = kinds().providers

    def judge(text: str) -> ProviderKind:
        if text not in known:
            raise ValueError(f"there is no provider kind {text!r}; {suggestion(text, list(known))}")
        return known[text]

    if name:
        if name not in known:
            raise unknown("provider kind", name, known)
        return known[name]
    if person is None:
        raise usage(f"nobody is there to be asked; say --provider KIND, one of {', '.join(known)}")
    person.tell("Who holds the zone?")
    width = max(map(len, known))
    for each in known.values():
        about = (each.settings.__doc__ or "").partition("\n")[0]
        person.tell(f"  {each.name:<{width}}  {about}", indent=" " * 6)
    return person.ask("the kind of provider", judge, _USUAL_KIND)


def _said(kind: ProviderKind, pairs: Sequence[str]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for pair in pairs:
        key, is_pair, text = pair.partition("=")
        if not (is_pair and key and text):
            raise usage(shown(f"--set {pair}: write --set KEY=VALUE, with a key that the provider has"))
        *above, last = answers.place_of(key)
        known = [each for each in known_keys(kind.settings, tuple(above)) if above or each not in {"kind", "zones"}]
        if last not in known and (known or not above):
            raise unknown(f"setting of {kind.name}", key, [".".join((*above, each)) for each in known])
        value = _flag(f"--set {key}", text, partial(answers.setting, kind, said, key))
        said = answers.with_setting(said, key, value)
    return said


def _needed(flags: Flags, kind: ProviderKind, said: dict[str, Any], person: Person | None) -> dict[str, Any]:
    """In the order of what the kind needs; an answer may make the next question needless."""
    for need in kind.needs:
        if not _is_open(need, said):
            continue
        default = _usual_file(flags.folder, need) if need.make and need.default else need.default
        judge = partial(_setting, kind, said, need)
        value = person.ask(need.words, judge, default) if person is not None else judge(default)
        if value is not None:
            said = answers.with_setting(said, need.key, value)
    return said


def _setting(kind: ProviderKind, said: dict[str, Any], need: Needed, text: str) -> Any:  # noqa: ANN401 - as in the file
    if not text and need.optional:
        return None
    if not text:
        raise ValueError("it has to be said")
    return answers.setting(kind, said, need.key, text)


def _usual_file(folder: Path, need: Needed) -> str:
    """Where a file with a secret is, unless somebody says it."""
    return f"{CREDENTIALS}failoverd.service/{need.default}" if is_service(folder) else str(folder / need.default)


# -- the regions -------------------------------------------------------------------------------------------------------


def _regions(flags: Flags, person: Person | None) -> tuple[FirstRegion, ...]:
    if flags.regions:
        return _named_regions(flags, person)
    if person is None:
        raise usage("say --region NAME=ADDRESS")
    found: list[FirstRegion] = []
    while True:
        taken = [region.name for region in found]
        words = "the name of another region; nothing: that is all" if found else "a region, such as azure-eastus"
        name = person.ask(words, partial(_another, taken))
        if not name:
            return tuple(found)
        others = [address for region in found for address in region.endpoints]
        addresses = person.ask(
            f"its addresses, as clients reach {name}, with commas between them",
            partial(answers.endpoints, others=others),
        )
        guess = answers.cloud_of(name)
        cloud = person.ask("whose cloud it is in: azure, oci, aws, or a name of your own", answers.cloud, guess)
        found.append(FirstRegion(name, cloud, addresses))


def _another(taken: Sequence[str], text: str) -> str:
    if not text and taken:
        return ""
    return answers.region(text, taken)


def _named_regions(flags: Flags, person: Person | None) -> tuple[FirstRegion, ...]:
    clouds = dict(_pair("--cloud", pair, "REGION=CLOUD") for pair in flags.clouds)
    found: list[FirstRegion] = []
    for said in flags.regions:
        name, addresses = _pair("--region", said, "NAME=ADDRESS[,ADDRESS]")
        _flag("--region", name, partial(answers.region, taken=[region.name for region in found]))
        others = [address for region in found for address in region.endpoints]
        judged = _flag(f"--region {name}", addresses, partial(answers.endpoints, others=others))
        cloud = clouds.pop(name, "") or answers.cloud_of(name)
        if cloud:
            _flag(f"--cloud {name}", cloud, answers.cloud)
        elif person is not None:
            cloud = person.ask(f"whose cloud {name} is in: azure, oci, aws, or a name of your own", answers.cloud)
        else:
            raise usage(f"whose cloud is {name} in? say --cloud {name}=azure, or oci, aws, or a name of your own")
        found.append(FirstRegion(name, cloud, judged))
    if clouds:
        raise unknown("region", next(iter(clouds)), [region.name for region in found])
    return tuple(found)


def _pair(flag: str, text: str, form: str) -> tuple[str, str]:
    name, is_pair, value = text.partition("=")
    if not (is_pair and name and value):
        raise usage(shown(f"{flag} {text}: write {flag} {form}"))
    return name, value


# -- one thing ---------------------------------------------------------------------------------------------------------


def _one(person: Person | None, words: str, flag: str, said: str, judge: Callable[[str], T], default: str = "") -> T:
    if said or person is None:
        return _flag(flag, said or default, judge)
    return person.ask(words, judge, default)


def _flag(flag: str, text: str, judge: Callable[[str], T]) -> T:
    try:
        return judge(answers.as_utf8(text))
    except ValueError as error:
        raise usage(shown(f"{flag}: {error}")) from error
