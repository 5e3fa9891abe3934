"""The middle rung: the list of models has ours, in the right revision."""

from collections.abc import Mapping
from typing import Final

from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Model
from failoverd.probes.findings import Finding, printable
from failoverd.probes.http1.http1_exchange import MAX_BODY
from failoverd.probes.inference_check.answer_status import AnswerStatus, parse_json
from failoverd.probes.inference_check.inference_settings import InferenceSettings

REVISION_FIELDS: Final = ("revision", "version", "root")
"""Where servers state what they serve: `root` is vLLM's, the path or repository that was loaded."""

_MAX_SHOWN: Final = 60
_MAX_REVISION: Final = 500


class ModelsJudge:
    """Hears one list of models (`GET /v1/models`)."""

    def __init__(self, settings: InferenceSettings, answer_status: AnswerStatus) -> None:
        self._settings = settings
        self._answer_status = answer_status
        self._body = bytearray()
        self._cut = False

    def head(self, status: int, reason: str, headers: Mapping[str, str]) -> Finding | None:
        return self._answer_status.weigh(status, reason, headers)

    def body(self, data: bytes) -> None:
        self._body += data

    def cut(self) -> None:
        self._cut = True

    def end(self) -> Finding:
        if self._cut:
            return Finding(ProbeReason.RESPONSE_TOO_LARGE, f"a list of models of more than {MAX_BODY // 1024} KiB")
        try:
            models = _listed(parse_json(self._body))
        except ValueError as error:
            return Finding(ProbeReason.BODY_MISMATCH, f"this is no list of models: {error}")
        model = self._settings.model
        for entry in models:
            if entry.get("id") == model:
                return self._weigh_revision(entry)
        return Finding(ProbeReason.MODEL_MISSING, f"{model} is not among the {len(models)} models that are listed")

    def _weigh_revision(self, entry: Mapping[str, object]) -> Finding:
        """Without a revision of its own, the check only says which one it saw, if it was told where that stands.

        What servers state besides by themselves may be anything, such as a path.
        """
        settings = self._settings
        if settings.revision is None and settings.revision_field is None:
            return Finding(ProbeReason.OK, f"{settings.model} is listed", served=Model(settings.model))
        fields = REVISION_FIELDS if settings.revision_field is None else (settings.revision_field,)
        stated = next((str(entry[name]) for name in fields if isinstance(entry.get(name), str | int)), None)
        words = f"no revision in {', '.join(fields)}" if stated is None else f"revision {printable(stated, _MAX_SHOWN)}"
        found = f"{settings.model} is listed with {words}"
        if settings.revision not in {None, stated}:
            return Finding(ProbeReason.REVISION_MISMATCH, f"{found}, not {settings.revision}")
        return Finding(ProbeReason.OK, found, served=Model(settings.model, printable(stated or "", _MAX_REVISION)))


def _listed(page: object) -> list[Mapping[str, object]]:
    """The entries of a list. Raises ValueError."""
    entries = page.get("data") if isinstance(page, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError('it has no "data" with objects')
    return entries
