"""A URL as a target: the check that it stands for, made by the kind's own settings, and the endpoint to probe."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import ValidationError

from failoverd.cli.failing import usage
from failoverd.cli.probing.probe_rounds import PlannedProbe
from failoverd.cli.screen import shown
from failoverd.config.diagnostics import suggestion
from failoverd.core.records import Check, Endpoint
from failoverd.installed import kinds
from failoverd.probes.field_types import parse_host

_ECHOES: Final = 3
_TLS_PORT: Final = 443


@dataclass(frozen=True, slots=True)
class _Form:
    """How the URLs of a scheme are written, and which kind of check they are."""

    kind: str
    example: str


FORMS: Final = {
    "https": _Form("https", "https://host/path"),
    "http": _Form("http", "http://host/path"),
    "tcp": _Form("tcp", "tcp://host:port"),
    "tls": _Form("tls", "tls://host:port"),
    "icmp": _Form("icmp", "icmp://host"),
    "grpc": _Form("grpc", "grpc://host:port/service"),
    "grpcs": _Form("grpc", "grpcs://host:port/service"),
    "dns": _Form("dns", "dns://server/name?type=AAAA"),
}

_ANY: Final = FORMS["https"].example


def is_url(target: str) -> bool:
    return "://" in target


def without_secrets(target: str) -> str:
    """The target as it may be shown: a query may hold a token."""
    place, mark, _ = target.partition("?")
    return f"{place}?…" if is_url(target) and mark else target


def url_probe(url: str) -> PlannedProbe:
    """Raises typer.BadParameter, whose words show no secret, when the URL cannot be understood."""
    if "@" in url.partition("?")[0]:
        raise usage(
            "a user or a password has no place in a URL (an @ in a path is %40): secrets come from a check's files"
        )
    shown_url = f"{without_secrets(url)[:80]!r}"
    try:
        parts = urlsplit(url)
        port = parts.port
        form = _form(parts.scheme, shown_url)
        if not parts.hostname:
            raise usage(shown(f"{shown_url} has no host: write {form.example}"))
        endpoint = Endpoint("", parse_host(parts.hostname), port)
    except ValueError as error:
        raise usage(shown(f"{shown_url} is not a URL: {error}; write {_ANY}")) from error
    if parts.fragment:
        raise usage("a fragment (#...) is never sent to a server: leave it out")
    return PlannedProbe("", endpoint, _check(form, parts, port))


def _form(scheme: str, shown_url: str) -> _Form:
    if not scheme:
        raise usage(shown(f"{shown_url} does not say how to probe: write {_ANY}"))
    if scheme not in FORMS:
        raise usage(shown(f"there is no check for {scheme}://: {suggestion(scheme, sorted(FORMS))}"))
    return FORMS[scheme]


def _check(form: _Form, parts: SplitResult, port: int | None) -> Check:
    kind = kinds().probes[form.kind]
    try:
        settings = kind.settings.model_validate(_said(form, parts, port))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(each) for each in first["loc"])
        raise usage(f"{form.kind}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
    return Check(form.kind, form.kind, settings.every, settings.timeout, settings, kind.uses_network, kind.connects)


def _said(form: _Form, parts: SplitResult, port: int | None) -> dict[str, Any]:
    """What a policy would say for this URL."""
    path = unquote(parts.path.removeprefix("/"))
    match form.kind:
        case "http" | "https":
            query = f"?{parts.query}" if parts.query else ""
            return {form.kind: (parts.path or "/") + query}
        case "grpc" if not parts.query:
            return {"grpc": path, "tls": parts.scheme == "grpcs"}
        case "dns":
            return {"dns": _required(path, form), "recursion": True} | _question(parts.query, form)
    if path or parts.query:
        raise usage(f"nothing comes after the host here: write {form.example}")
    match form.kind:
        case "icmp" if port is None:
            return {"icmp": _ECHOES}
        case "tls":
            return {"tls": port or _TLS_PORT}
        case "tcp":
            return {"tcp": _required(port, form)}
        case _:
            raise usage(f"icmp has no ports: write {form.example}")


def _question(query: str, form: _Form) -> dict[str, str]:
    said = parse_qs(query)
    if said.keys() - {"type"}:
        raise usage(f"the only parameter is type: write {form.example}")
    return {"type": each[0].upper()} if (each := said.get("type")) else {}


def _required(value: Any, form: _Form) -> Any:  # noqa: ANN401 - what it is, the kind's settings say
    if not value:
        raise usage(f"write {form.example}")
    return value
