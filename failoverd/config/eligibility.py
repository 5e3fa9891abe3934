"""Who may answer at all, as files say it: residency, the model, and named places; and what is wrong with that.

What the core makes of it is in `core/control/residency.py`. A policy that nobody may answer is refused here, before the
night on which its answer would be held for good.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from failoverd.config.diagnostics import Code, Diagnostic, Severity, shown, suggestion
from failoverd.config.drafts import Draft, ProviderEntry
from failoverd.config.schema.inventory_file import InventoryFile, ModelEntry, Region
from failoverd.config.schema.policy_file import PlaceEntry, PolicyFile, RecordEntry
from failoverd.core.records import AllDown, Endpoint, Model, NamedPlace, RecordType, Weights

_NEEDS: Final = {
    RecordType.A: "an IPv4 address",
    RecordType.AAAA: "an IPv6 address",
    RecordType.CNAME: "a host name",
    RecordType.SRV: "a host name with a port",
}


# -- what it is --------------------------------------------------------------------------------------------------------


def residency_of(file: PolicyFile) -> tuple[str, ...]:
    return file.residency.allow if file.residency is not None else ()


def model_of(entry: ModelEntry | None) -> Model | None:
    return Model(entry.name, entry.revision or "") if entry is not None else None


def models_of(region: Region) -> tuple[Model, ...]:
    return tuple(Model(entry.name, entry.revision or "") for entry in region.models)


def place_of(draft: Draft, entry: PlaceEntry | None, inventory: InventoryFile) -> NamedPlace | None:
    """A place as the core knows it: under the name of a region, or of its first address."""
    if entry is None:
        return None
    if entry.region is not None:
        law = inventory.regions[entry.region].jurisdiction if entry.region in inventory.regions else None
        return NamedPlace.of(entry.region, draft.endpoints.get(entry.region, ()), law or "")
    if not entry.answer:
        return None
    endpoints = [Endpoint("", each.address, each.port) for each in entry.answer]
    return NamedPlace.of(endpoints[0].text, endpoints, entry.jurisdiction or "")


# -- what is wrong with it ---------------------------------------------------------------------------------------------


def eligibility(draft: Draft, inventory: InventoryFile, providers: Mapping[str, ProviderEntry]) -> Iterator[Diagnostic]:
    """Everything about who may answer that cannot be meant so."""
    if not draft.policy.regions.keys() <= inventory.regions.keys():
        return  # said already
    yield from _residency(draft, inventory)
    yield from _model(draft, inventory)
    yield from _nobody(draft, inventory)
    for key, entry in (("shed_to", draft.policy.shed_to), ("when_all_down", draft.policy.when_all_down)):
        if entry is not None and (key != "when_all_down" or draft.policy.when_all_down.do is AllDown.ANSWER):
            wrong = tuple(_place(draft, inventory, key, entry))
            yield from wrong or _unused(draft, key, entry)
    yield from _unsaid(draft, providers)


def _residency(draft: Draft, inventory: InventoryFile) -> Iterator[Diagnostic]:
    allow, document = residency_of(draft.policy), draft.document
    if not allow:
        return
    known = sorted({each.jurisdiction for each in inventory.regions.values() if each.jurisdiction})
    for index, law in enumerate(allow):
        if law not in known:
            message = f"no region of the inventory is under {shown(law)}, so it allows nobody"
            place = ("residency", "allow", index)
            hint = suggestion(law, known)
            yield document.diagnose(Code.UNKNOWN_JURISDICTION, place, message, hint, severity=Severity.WARNING)
    for name in draft.policy.regions:
        under, at = inventory.regions[name].jurisdiction, ("regions", name)
        if under is None:
            message = f"{name} has no jurisdiction in the inventory, so it gets none of this policy's traffic"
            hint = f"state the jurisdiction of {name} in the inventory, or take it out of the policy"
            yield document.diagnose(Code.NO_JURISDICTION, at, message, hint, key=True, severity=Severity.WARNING)
        elif under not in allow:
            message = f"{name} is under {under}, outside of the residency, so it never gets traffic, whatever fails"
            hint = f"take it out of the policy, or allow {under} under residency"
            yield document.diagnose(Code.OUTSIDE_RESIDENCY, at, message, hint, key=True, severity=Severity.WARNING)


def _model(draft: Draft, inventory: InventoryFile) -> Iterator[Diagnostic]:
    file, document = draft.policy, draft.document
    allow, wanted = residency_of(file), model_of(file.model)
    for index, name in enumerate(file.canary):
        if name not in file.regions:
            hint = suggestion(name, sorted(file.regions))
            yield document.diagnose(Code.CANARY, ("canary", index), f"{shown(name)} is no region of the policy", hint)
        elif name in file.canary[:index]:
            message = f"{name} is named twice"
            yield document.diagnose(
                Code.CANARY_IDLE, ("canary", index), message, "write it once", severity=Severity.WARNING
            )
        elif wanted is None:
            message = f"the policy wants no model, so {name} differs from nothing"
            yield document.diagnose(
                Code.CANARY_IDLE, ("canary", index), message, "write the model", severity=Severity.WARNING
            )
    checks = {name: at for name in file.checks if (at := _inference(draft, name)) is not None}
    if wanted is None:
        yield from _unwanted(draft, checks)
        return
    for name in file.regions:
        serves = models_of(inventory.regions[name])
        outside = allow and inventory.regions[name].jurisdiction not in allow  # which was said
        if name not in file.canary and not outside and not any(map(wanted.met_by, serves)):
            said = f"serves {', '.join(map(str, serves))}" if serves else "states no models"
            until = " unless a check sees it there" if checks else ""
            message = (
                f"{name} {said} in the inventory, and not {wanted}, so it gets none of this policy's traffic{until}"
            )
            hint = f"state it under models of {name} in the inventory, or name it under canary"
            yield document.diagnose(
                Code.OTHER_MODEL, ("regions", name), message, hint, key=True, severity=Severity.WARNING
            )
    yield from _asked(draft, wanted, checks)


def _inference(draft: Draft, check: str) -> Mapping[str, object] | None:
    """What is written of a check, if it looks for a model."""
    written = draft.document.find(("checks", check))
    return written if isinstance(written, Mapping) and "inference" in written else None


def _unwanted(draft: Draft, checks: Mapping[str, Mapping[str, object]]) -> Iterator[Diagnostic]:
    """Checks that look for a revision that nobody wants."""
    for name, written in checks.items():
        if "revision_field" in written and "revision" not in written:
            message = f"check {name} sees a revision, and neither it nor the policy says which one is wanted"
            hint = "write revision here, or the model of the policy"
            at = ("checks", name, "revision_field")
            yield draft.document.diagnose(Code.REVISION_IDLE, at, message, hint, severity=Severity.WARNING)


def _asked(draft: Draft, wanted: Model, checks: Mapping[str, Mapping[str, object]]) -> Iterator[Diagnostic]:
    """Checks that ask for another model than the policy."""
    file, document = draft.policy, draft.document
    for name, written in checks.items():
        asked = Model(str(written.get("model", "")), str(written.get("revision") or ""))
        differs = "model" if asked.name != wanted.name else "revision"
        if asked.name != wanted.name or (asked.revision and wanted.revision not in {"", asked.revision}):
            message = f"check {name} asks for {asked}, and the policy wants {wanted}: who serves that fails the check"
            place = ("checks", name, differs)
            yield document.diagnose(Code.MODEL_CHECK, place, message, "write the same in both")
        elif asked.revision and file.canary:
            message = f"check {name} fails where another revision than {asked.revision} is listed, also in a canary"
            hint = "leave revision out of the check; with revision_field it sees what each region serves"
            at = ("checks", name, "revision")
            yield document.diagnose(Code.CANARY_CHECKED, at, message, hint, severity=Severity.WARNING)


def may_answer(draft: Draft, inventory: InventoryFile, name: str) -> bool:
    """Whether a region may get traffic, as far as files say."""
    file, region = draft.policy, inventory.regions[name]
    allow, wanted = residency_of(file), model_of(file.model)
    lawful = not allow or region.jurisdiction in allow
    return lawful and (wanted is None or name in file.canary or any(map(wanted.met_by, models_of(region))))


def _nobody(draft: Draft, inventory: InventoryFile) -> Iterator[Diagnostic]:
    """Records that nobody may answer, and floors that those who may cannot reach."""
    file, document = draft.policy, draft.document
    if file.residency is None and file.model is None:
        return
    may = [name for name in file.regions if may_answer(draft, inventory, name)]
    key = "residency" if file.residency is not None else "model"
    for record in file.records:
        answering = draft.answering(record.type)
        left = [name for name in answering if name in may]
        if answering and not left:
            why = " and ".join(each for each in ("residency", "model") if getattr(file, each) is not None)
            message = f"nobody may answer {record.name} {record.type}: of {', '.join(answering)}, {why} leaves none"
            hint = "allow one of them, or give the policy a region that may answer"
            yield document.diagnose(Code.NOBODY_MAY_ANSWER, (key,), message, hint, key=True)
            return
        if left and len(left) < file.limits.min_regions <= len(answering):
            message = f"{record.name} {record.type} may be answered by {len(left)} regions, fewer than min_regions"
            hint = f"write min_regions: {len(left)}"
            yield document.diagnose(Code.TOO_FEW_REGIONS, ("limits", "min_regions"), message, hint)
            return


def _place(draft: Draft, inventory: InventoryFile, key: str, entry: PlaceEntry) -> Iterator[Diagnostic]:
    file, document = draft.policy, draft.document
    if entry.region is not None and entry.region not in file.regions:
        known = sorted(file.regions)
        message = f"{shown(entry.region)} is no region of the policy"
        yield document.diagnose(Code.UNKNOWN_REGION, (key,), message, suggestion(entry.region, known))
        return
    place = place_of(draft, entry, inventory)
    if place is None:
        return
    at = (key, "answer") if document.knows((key, "answer")) else (key,)
    for record in file.records:
        if not place.answers(record.type):
            message = f"{place.name} cannot answer {record.name} {record.type}, which needs {_NEEDS[record.type]}"
            hint = 'write a list with one for each type: answer: [192.0.2.99, "2001:db8::99"]'
            yield document.diagnose(Code.PLACE_IDLE, at, message, hint)
            return
        if record.type is RecordType.CNAME and record.name in place.answers(record.type):
            message = f"{record.name} would be a CNAME for itself"
            yield document.diagnose(Code.CNAME_PLACE, at, message)
            return
    allow = residency_of(file)
    mine = _regions_at(draft, place)
    there = next((name for name in mine if allow and inventory.regions[name].jurisdiction not in allow), "")
    if there:
        message = f"{place.name} is an address of {there}, which is outside of the residency: it could never answer"
        yield document.diagnose(Code.PLACE_OUTSIDE, at, message, "name a place that the residency allows")
    elif mine:
        message = f"{place.name} is an address of {mine[0]}: what is sent to the place would be that region's traffic"
        or_name = {"when_all_down": f"name the region: {key}: {{region: {mine[0]}}}; or "}
        hint = f"{or_name.get(key, '')}give an address that is none of the policy's"
        yield document.diagnose(Code.PLACE_OWN, at, message, hint)
    elif allow and place.jurisdiction not in allow:
        said = f"is under {place.jurisdiction}" if place.jurisdiction else "states no jurisdiction"
        message = f"{place.name} {said}, and the residency allows {', '.join(allow)}: it could never answer"
        hint = f"say whose law applies there: {key}: {{answer: {place.name}, jurisdiction: {allow[0]}}}"
        if place.jurisdiction or entry.region is not None:
            hint = "name a place that the residency allows"
        yield document.diagnose(Code.PLACE_OUTSIDE, at, message, hint)


def _unused(draft: Draft, key: str, entry: PlaceEntry) -> Iterator[Diagnostic]:
    """A place for what fits nowhere to which nothing would ever go."""
    if key != "shed_to":
        return
    if draft.policy.demand is None:
        message = "nothing goes to shed_to without a demand: nobody knows how much fits nowhere"
        hint = "say the demand, and in the inventory the capacities; or leave shed_to out"
    elif entry.region is not None:
        message = f"{entry.region} is a region of the policy: it is filled to its room before anything is left over"
        hint = "name an address outside of the policy; or leave shed_to out"
    else:
        return
    yield draft.document.diagnose(Code.PLACE_UNUSED, (key,), message, hint, key=True, severity=Severity.WARNING)


def _regions_at(draft: Draft, place: NamedPlace) -> list[str]:
    """The regions that have an address of a place, which is not meant as one of them."""
    values = {value for kind in RecordType for value in place.answers(kind)}
    return [
        name
        for name, endpoints in draft.endpoints.items()
        if name != place.name and any(end.answer(kind) in values for end in endpoints for kind in RecordType)
    ]


def _unsaid(draft: Draft, providers: Mapping[str, ProviderEntry]) -> Iterator[Diagnostic]:
    """A part of the traffic is shed where a record knows parts."""
    file = draft.policy
    if file.shed_to is None:
        return
    for record in file.records:
        why = _no_parts(file, record, providers)
        if why:
            message = f"{record.name} {record.type} {why}, so no part of its traffic can go to another place"
            hint = "publish it at a provider with weights of its own; or leave shed_to out"
            yield draft.document.diagnose(
                Code.PLACE_UNSAID, ("shed_to",), message, hint, key=True, severity=Severity.WARNING
            )
            return


def _no_parts(file: PolicyFile, record: RecordEntry, providers: Mapping[str, ProviderEntry]) -> str:
    named = [providers[name] for name in record.providers if name in providers]
    if any(record.type in each.capabilities.single for each in named):
        return "says one answer at a time"
    if file.weights is Weights.MEMBERSHIP:
        return "says who is in the answer, and not how much (weights: membership)"
    return ""
