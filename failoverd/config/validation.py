"""Holds data against a model and says every mistake at its place in the file, in the words of the file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from failoverd.config.diagnostics import Code, Diagnostic, nearest, shown, suggestion
from failoverd.config.documents import Document
from failoverd.config.tree import Place
from failoverd.config.values import ONE_LINE

M = TypeVar("M", bound=BaseModel)

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "dict_attributes_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "frozen_set_type": "a list",
}
_IS = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
_PATTERNS = {
    "^[a-z0-9][a-z0-9-]{0,62}$": (
        "a name has 1 to 63 lower-case letters, digits and hyphens, and does not begin with a hyphen"
    ),
    ONE_LINE: "it is one line, without line breaks and other control characters",
}
"""What is wrong with a text that does not match."""
_CHOICE = re.compile(r"'[^']*'|\b\d+\b")


@dataclass(frozen=True, slots=True)
class Validated(Generic[M]):
    """`model` is there when nothing but unknown keys was wrong, so that it can be looked at further.

    Only a model without `diagnostics` may be used to run anything.
    """

    model: M | None
    diagnostics: tuple[Diagnostic, ...]


def validate(model: type[M], document: Document, place: Place = (), **context: object) -> Validated[M]:
    """Hold what stands at `place` of the document against `model`. `context` is what its fields look at besides."""
    data, context = document.find(place), {**_context(document), **context}
    empty = [_no_value(document, found, model, place) for found in _nulls(data, place)]
    try:
        return Validated(model.model_validate(data, context=context), tuple(empty))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=True)
    causes = _causes(document, model, place, errors)
    found = [_diagnose(document, model, place, details) for details in causes]
    unknown = [details for details in errors if details["type"] == "extra_forbidden"]
    again = _without(model, context, data, unknown) if len(unknown) == len(errors) else None
    return Validated(again, (*empty, *found))


def wrong_at(model: type[BaseModel], document: Document, place: Place) -> Diagnostic | None:
    """What is wrong with what stands at one place, whatever else the document lacks."""
    try:
        model.model_validate(document.data, context=_context(document))
    except ValidationError as error:
        for details in error.errors(include_url=False, include_input=True):
            if details["type"] != "missing" and _place(document, (), details)[: len(place)] == place:
                return _diagnose(document, model, (), details)
    return None


def _context(document: Document) -> Mapping[str, Path]:
    """Where paths begin that the document names: `FilePath` asks for it."""
    return {"folder": Path(document.file).parent}


def _causes(
    document: Document, model: type[BaseModel], root: Place, errors: list[ErrorDetails]
) -> Iterator[ErrorDetails]:
    """The errors without those that only follow from others: one slip is told once."""
    misspelt = _misspelt(document, model, root, errors)
    for details in errors:
        place, kind = _place(document, root, details), details["type"]
        value = document.find(place)
        if value is None:
            continue  # said already: it has no value
        if kind == "missing" and (*place, details["loc"][-1]) in misspelt:
            continue
        if kind == "too_short" and isinstance(value, list | dict) and value:
            continue  # it has items, and all of them are wrong
        yield details


def _misspelt(document: Document, model: type[BaseModel], root: Place, errors: list[ErrorDetails]) -> set[Place]:
    """The keys that unknown keys were probably meant to be."""
    unknown = [_place(document, root, details) for details in errors if details["type"] == "extra_forbidden"]
    meant = ((place, nearest(str(place[-1]), known_keys(model, place[len(root) : -1]))) for place in unknown)
    return {(*place[:-1], key) for place, key in meant if key is not None}


def _without(model: type[M], context: Mapping[str, object], data: object, unknown: list[ErrorDetails]) -> M | None:
    """The model as it would be if the unknown keys were not there."""
    try:
        kept = _pruned(data, {details["loc"] for details in unknown})
        return model.model_validate(kept, context=context)
    except ValidationError:
        return None


def _pruned(data: object, gone: set[tuple[int | str, ...]], loc: tuple[int | str, ...] = ()) -> object:
    if isinstance(data, dict):
        return {key: _pruned(value, gone, (*loc, key)) for key, value in data.items() if (*loc, key) not in gone}
    if isinstance(data, list):
        return [_pruned(value, gone, (*loc, index)) for index, value in enumerate(data)]
    return data


# -- values that are not there -----------------------------------------------------------------------------------------


def _nulls(data: object, place: Place) -> Iterator[Place]:
    """Where a key was written without a value: never on purpose, whatever the model would make of it."""
    if data is None:
        yield place
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, value in items:
        yield from _nulls(value, (*place, step))


def _no_value(document: Document, place: Place, model: type[BaseModel], root: Place) -> Diagnostic:
    hint = _description(model, place[len(root) :]) or "give it a value or remove it"
    return document.diagnose(Code.WRONG_TYPE, place, f"{say(place)} has no value", hint, key=True)


# -- errors to diagnostics ---------------------------------------------------------------------------------------------


def say(place: Place) -> str:
    """A place as people write it: records[0].ttl."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return shown(text.removeprefix(".")).strip('"') if place else "the file"


def _place(document: Document, root: Place, details: ErrorDetails) -> Place:
    """Where pydantic's location stands in the file: the parts that it adds for its own unions are left out."""
    place = root
    for step in details["loc"]:
        if document.knows((*place, step)):
            place = (*place, step)
    return place


def _diagnose(document: Document, model: type[BaseModel], root: Place, details: ErrorDetails) -> Diagnostic:
    place = _place(document, root, details)
    kind = details["type"]
    if kind == "extra_forbidden":
        key = str(place[-1])
        known = known_keys(model, place[len(root) : -1])
        return document.diagnose(Code.UNKNOWN_KEY, place, f"unknown key {shown(key)}", suggestion(key, known), key=True)
    if kind == "missing":
        name = str(details["loc"][-1])
        where = f"{say(place)} lacks" if place else "the file lacks"
        hint = _description(model, (*place[len(root) :], name))
        return document.diagnose(Code.MISSING_KEY, place, f"{where} {shown(name)}", hint, key=True)
    code, message, hint = _wrong(details)
    is_key = details["loc"][-1:] == ("[key]",)
    hint = hint or _description(model, place[len(root) :])
    return document.diagnose(code, place, f"{say(place)}: {message}", hint, key=is_key or not place)


def _wrong(details: ErrorDetails) -> tuple[Code, str, str]:
    """Code, message and hint for a value that is there and wrong. A value is only repeated when it is a choice."""
    kind, value = details["type"], details["input"]
    context: Mapping[str, Any] = details.get("ctx", {})
    if kind in {"enum", "literal_error"}:
        allowed = [each.strip("'") for each in _CHOICE.findall(context["expected"])] or [context["expected"]]
        is_text = isinstance(value, str)
        hint = suggestion(value, allowed) if is_text else ""
        found = shown(value) if is_text or isinstance(value, int | float) else _kind_of(value)
        return Code.NOT_ONE_OF, f"{found} is not one of {', '.join(allowed)}", hint
    if kind == "value_error":
        return Code.BAD_VALUE, str(context["error"]), ""
    if kind in _WANTED:
        return Code.WRONG_TYPE, f"it should be {_WANTED[kind]}, and is {_kind_of(value)}", ""
    if kind == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        return Code.BAD_VALUE, _PATTERNS[context["pattern"]], ""
    if kind in {"too_short", "too_long"}:
        bound = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        found = context["actual_length"]
        has = len(value) if found is None else found  # pydantic does not count further than a mapping may be long
        return Code.BAD_VALUE, f"it needs {bound}, and has {has}", ""
    text = details["msg"].replace("Input should", "it should").replace("String should", "it should")
    return Code.BAD_VALUE, text[0].lower() + text[1:], ""


def _kind_of(value: object) -> str:
    return _IS.get(type(value), "something else")


# -- what the models know ----------------------------------------------------------------------------------------------


def known_keys(model: type[BaseModel], place: Place) -> list[str]:
    """The keys that may be written at `place`, in the order of the model."""
    return [key for found in _models_at(model, place) for key in _fields(found)]


def _description(model: type[BaseModel], place: Place) -> str:
    """What the key at `place` means; for an item of a list or mapping, what the list or mapping means."""
    for length in range(len(place), 0, -1):
        field = _field(_models_at(model, place[: length - 1]), place[length - 1])
        if field is not None:
            return field.description or ""
    return ""


def _models_at(model: type[BaseModel], place: Place) -> list[type[BaseModel]]:
    models = [model]
    for step in place:
        field = _field(models, step)
        if field is not None:  # otherwise it is an index, or the key of a mapping: the models stay the same
            models = list(_inside(field.annotation))
    return models


def _field(models: list[type[BaseModel]], step: str | int) -> FieldInfo | None:
    found = (_fields(known).get(str(step)) for known in models)
    return next((field for field in found if field is not None), None)


def _fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """The fields by the keys of the file: some are words of Python, and have another name there."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _inside(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for part in get_args(annotation):
        yield from _inside(part)
