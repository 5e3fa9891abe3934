"""What may be asked, in one table: the server is made from it, and so is the OpenAPI document."""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic.json_schema import models_json_schema

from failoverd.api.asked import (
    AlertsAsked,
    ApplyAsked,
    AskedModel,
    AuditQuery,
    CommentAsked,
    ExtendAsked,
    GlanceQuery,
    HistoryQuery,
    NoQuery,
    PageQuery,
    PlanAsked,
    Query,
    ReleaseAsked,
    ReloadAsked,
    ResignAsked,
    StatusQuery,
    TimelineQuery,
    UndoAsked,
    WhyQuery,
    WordAsked,
)
from failoverd.api.sending import KEY
from failoverd.api.shapes import (
    SCHEMA,
    TITLES,
    AlertsTold,
    AnswerBody,
    AppliedTold,
    AuditTold,
    BoardTold,
    EnteredTold,
    GivenTold,
    GlanceTold,
    HistoryTold,
    InventoryTold,
    MembersTold,
    NamesTold,
    PlanTold,
    Problem,
    ReleasedTold,
    ReloadedTold,
    ResignedTold,
    StatusTold,
    TimelineTold,
    WhyTold,
    WordAnswer,
    WordsTold,
)

EXPECTED: Final = "If-Match"

KEY_PATTERN: Final = r"^[A-Za-z0-9._:-]{1,128}$"
EXPECTED_PATTERN: Final = r'^"[0-9a-f]{1,64}"$'

_READ: Final = (401, 403, 422, 429, 500, 503)
_WRITE: Final = (400, 401, 403, 409, 413, 415, 422, 429, 500, 503)


@dataclass(frozen=True, slots=True)
class Route:
    """One thing to ask.

    Attributes:
        name: how it is called in code, here and there.
        asked: the body; None for what only reads.
        answer: None for the document itself.
        refusals: statuses of the problems that may be answered instead.
        streams: whether it is answered without an end, by server-sent events whose data are such answers.
        keeps: whether what is asked with a body is a command: done once, by its key, and kept in the audit trail.
        keyed: whether who asks has to give a command that key; a notification that comes again does no harm.
    """

    name: str
    method: str
    path: str
    summary: str
    answer: type[AnswerBody] | None
    asked: type[AskedModel] | None = None
    query: type[Query] = NoQuery
    refusals: tuple[int, ...] = _READ
    keeps: bool = True
    streams: bool = False
    keyed: bool = True

    @property
    def writes(self) -> bool:
        return self.asked is not None and self.keeps

    @property
    def operates(self) -> bool:
        """Whether it takes the role `operate`.

        A plan changes nothing, and has each record asked for at its provider: who may only read is not to spend what an
        account allows, for by that it is kept right.
        """
        return self.asked is not None

    @property
    def rests(self) -> bool:
        """Whether it changes words, so that it may rest on those that were there."""
        return self.answer is GivenTold or self.answer is ReleasedTold


def _write(name: str, path: str, summary: str, asked: type[AskedModel], answer: type[AnswerBody], *more: int) -> Route:
    return Route(name, "POST", path, summary, answer, asked, refusals=tuple(sorted((*_WRITE, *more))))


_PLAN: Final = tuple(sorted({*_WRITE, 404} - {409}))
_NOT_FOUND: Final = tuple(sorted((*_READ, 404)))

ROUTES: Final = (
    Route("status", "GET", "/v1/status", "Where everything stands", StatusTold, query=StatusQuery),
    Route("glance", "GET", "/v1/glance", "Everything at a glance", GlanceTold, query=GlanceQuery, refusals=_NOT_FOUND),
    Route("page", "GET", "/v1/page", "What one screen has room for", BoardTold, query=PageQuery),
    Route("events", "GET", "/v1/events", "The same, whenever it changes (server-sent events)", BoardTold, streams=True),
    Route(
        "timeline",
        "GET",
        "/v1/timeline",
        "What became of a policy",
        TimelineTold,
        query=TimelineQuery,
        refusals=_NOT_FOUND,
    ),
    Route("enter", "GET", "/v1/enter", "Let a browser in by its token", EnteredTold),
    Route("inventory", "GET", "/v1/inventory", "What the regions carry", InventoryTold),
    Route("members", "GET", "/v1/members", "Who leads, and whose votes count", MembersTold),
    Route("names", "GET", "/v1/names", "What an override may be about", NamesTold),
    Route("history", "GET", "/v1/history", "What was changed", HistoryTold, query=HistoryQuery, refusals=_NOT_FOUND),
    Route("why", "GET", "/v1/why", "A change, and what led to it", WhyTold, query=WhyQuery, refusals=_NOT_FOUND),
    Route("words", "GET", "/v1/overrides", "Operators' words", WordsTold),
    Route("word", "GET", "/v1/overrides/{id}", "One override, and how far it is", WordAnswer, refusals=_NOT_FOUND),
    Route("audit", "GET", "/v1/audit", "Who asked for what", AuditTold, query=AuditQuery),
    Route("document", "GET", "/v1/openapi.json", "This document", None),
    _write("give", "/v1/overrides", "Give a word", WordAsked, GivenTold),
    _write("release", "/v1/overrides/{id}/release", "End an override now", CommentAsked, GivenTold, 404),
    _write("extend", "/v1/overrides/{id}/extend", "Have an override hold longer", ExtendAsked, GivenTold, 404),
    _write("agree", "/v1/overrides/{id}/agree", "Agree to an override", CommentAsked, GivenTold, 404),
    _write("release_matching", "/v1/release", "End the overrides of a scope", ReleaseAsked, ReleasedTold, 404),
    _write("undo", "/v1/undo", "Take a change back", UndoAsked, GivenTold, 404),
    Route("plan", "POST", "/v1/plan", "What would be changed", PlanTold, PlanAsked, refusals=_PLAN, keeps=False),
    _write("apply", "/v1/apply", "Apply what was planned", ApplyAsked, AppliedTold),
    _write("resign", "/v1/leader/resign", "Let another member lead", ResignAsked, ResignedTold),
    _write("reload", "/v1/reload", "Read every file again", ReloadAsked, ReloadedTold),
    Route(
        "alerts",
        "POST",
        "/v1/alerts",
        "A notification of Alertmanager (webhook)",
        AlertsTold,
        AlertsAsked,
        refusals=_WRITE,
        keyed=False,
    ),
)

Json = dict[str, Any]


def document() -> Json:
    """OpenAPI 3.1 (spec.openapis.org/oas/v3.1.0), made of the table and of the models."""
    models: dict[type[AnswerBody | AskedModel], Literal["validation", "serialization"]] = {Problem: "serialization"}
    for route in ROUTES:
        models |= {route.answer: "serialization"} if route.answer is not None else {}
        models |= {route.asked: "validation"} if route.asked is not None else {}
    _, made = models_json_schema(list(models.items()), ref_template="#/components/schemas/{model}")
    paths: Json = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "failoverd, the admin API",
            "version": str(SCHEMA),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{}, {"token": []}, {"certificate": []}],
        "paths": paths,
        "components": {
            "schemas": made["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "certificate": {"type": "mutualTLS"},
            },
        },
    }


_ABOUT: Final = (
    "Times are RFC 3339 in UTC, durations are seconds, and shares and scores basis points (10,000 is all of it) under "
    "keys that end in _bp. On the unix socket the peer's user is the actor; elsewhere a token or a client certificate "
    "says who asks."
)


def _operation(route: Route) -> Json:
    responses: Json = {"200": {"description": "OK", "content": _content(route.answer)}}
    if route.streams:
        responses["200"]["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    if route.name == "words":
        responses["200"]["headers"] = {
            "ETag": {"description": "the version of all overrides, for If-Match", "schema": {"type": "string"}}
        }
    for status in route.refusals:
        content = {"application/problem+json": {"schema": _ref(Problem)}}
        responses[str(status)] = {"description": TITLES[status], "content": content}
    operation: Json = {"operationId": route.name, "summary": route.summary, "responses": responses}
    if parameters := [*_places(route), *_queries(route.query), *_headers(route)]:
        operation["parameters"] = parameters
    if route.asked is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.asked)}
    return operation


def _content(shape: type[AnswerBody] | type[AskedModel] | None) -> Json:
    return {"application/json": {"schema": _ref(shape) if shape is not None else {"type": "object"}}}


def _ref(shape: type[AnswerBody] | type[AskedModel]) -> Json:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def _places(route: Route) -> list[Json]:
    schema = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[a-z]+-[0-9A-Za-z-]+$"}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema, "example": "drain-9f3a1c07"}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _queries(query: type[Query]) -> list[Json]:
    found = query.model_json_schema(ref_template="#/components/schemas/{model}")
    parameters = []
    for name, said in found.get("properties", {}).items():
        schema = {key: value for key, value in said.items() if key not in {"title", "description"}}
        one_of = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
        schema |= one_of[0] if one_of else {}
        if schema.get("default", "") is None:
            del schema["default"]
        parameter = {"name": name, "in": "query", "description": said["description"], "schema": schema}
        parameters.append(parameter | ({"required": True} if name in found.get("required", ()) else {}))
    return parameters


def _headers(route: Route) -> list[Json]:
    return [_KEY] * (route.writes and route.keyed) + [_EXPECTED] * route.rests


_KEY: Final[Json] = {
    "name": KEY,
    "in": "header",
    "required": True,
    "description": "names this one request: asked again with it, it is answered as it was",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}

_EXPECTED: Final[Json] = {
    "name": EXPECTED,
    "in": "header",
    "description": "the version of the overrides that this rests on: 409 if somebody changed them since",
    "schema": {"type": "string", "pattern": EXPECTED_PATTERN},
}
