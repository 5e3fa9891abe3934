"""What a policy may say in an `inference` check."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from failoverd.probes.field_types import SecretPath
from failoverd.probes.http1.http_service import ServiceSettings
from failoverd.probes.http1.request_fields import RequestTarget
from failoverd.settings import Duration

TEMPLATE: Final = 128
"""Tokens that a server may put around a prompt: the chat template, a system prompt of its own."""

_Text = Annotated[str, Field(min_length=1, max_length=500)]


def most_tokens(prompt: str, max_tokens: int) -> int:
    """What a completion costs at most: no tokenizer makes more tokens of a text than it has bytes."""
    return len(prompt.encode()) + TEMPLATE + max_tokens


class InferenceSettings(ServiceSettings):
    """Whether a model is served, the right one, and fast enough."""

    inference: RequestTarget = Field(description="base path of an OpenAI-compatible API, such as /v1")
    model: _Text = Field(description="name of the model, which has to be listed and is asked for completions")
    live: RequestTarget | None = Field(
        default=None,
        description="path that is asked each time, such as /health; without it, the list of models is asked each time",
    )
    models_every: Duration = Field(default=60.0, ge=1.0, description="time between two requests for the list of models")
    revision: _Text | None = Field(default=None, description="revision of the model that the list has to state")
    revision_field: _Text | None = Field(
        default=None,
        description="field of the list that states it; without it, the first of revision, version, root. Without "
        "revision, any passes, and the one that is seen there counts for the model of the policy",
    )
    completion_every: Duration | None = Field(
        default=None, ge=1.0, description="time between two streamed completions; without it, none are asked for"
    )
    prompt: Annotated[str, Field(min_length=1, max_length=2_000)] = Field(
        default="ping", description="what completions are asked for with"
    )
    max_tokens: int = Field(default=1, ge=1, le=64, description="tokens that a completion may have")
    slow_first_answer: Duration | None = Field(
        default=None, description="a first token later than this is DEGRADED; counted from the request"
    )
    min_tokens_per_second: float | None = Field(
        default=None, gt=0.0, le=1_000_000.0, description="fewer tokens a second after the first one are DEGRADED"
    )
    tokens_per_day: int = Field(
        default=10_000, ge=1, le=1_000_000_000, description="tokens that may be spent a day (UTC) with this key"
    )
    api_key_file: SecretPath | None = Field(
        default=None, description="absolute path of a file with the API key; read when it changes"
    )

    @model_validator(mode="after")
    def _a_completion_fits_into_a_day(self) -> Self:
        most = most_tokens(self.prompt, self.max_tokens)
        if self.completion_every is not None and most > self.tokens_per_day:
            raise ValueError(
                f"a completion may cost {most} tokens (bytes of the prompt, {TEMPLATE} around it, max_tokens), "
                f"more than tokens_per_day"
            )
        return self

    @model_validator(mode="after")
    def _what_completions_are_for(self) -> Self:
        for key in ("slow_first_answer", "min_tokens_per_second"):
            if getattr(self, key) is not None and self.completion_every is None:
                raise ValueError(f"{key} has no effect without completions: add completion_every")
        if self.min_tokens_per_second is not None and self.max_tokens == 1:
            raise ValueError("one token has no speed: for min_tokens_per_second, set max_tokens to 8 or more")
        if self.slow_first_answer is not None and self.slow_first_answer >= self.timeout:
            raise ValueError("slow_first_answer has to be shorter than timeout")
        return self
