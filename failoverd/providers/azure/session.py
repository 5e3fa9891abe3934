"""How SDK clients talk to Azure Resource Manager: their pipeline, and one client for all threads of a provider.

The pipeline is spelled out instead of the SDK's own, which retries, follows redirects, and registers resource providers
by itself, a write that nobody planned.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, Protocol, TypeVar

from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import ContentDecodePolicy, HTTPPolicy, RequestIdPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest, HttpResponse

from failoverd.files import require_regular
from failoverd.providers.azure.errors import Call, edge
from failoverd.providers.azure.settings import AzureSettings
from failoverd.providers.azure.tokens import CONNECT_TIMEOUT, Tokens
from failoverd.providers.shared.bucket import Rate

READS: Final = Rate(25, 250)
WRITES: Final = Rate(10, 200)
"""What one principal is granted in one subscription ("Understand how Azure Resource Manager throttles requests")."""

_UNAUTHORIZED = 401


class Closing(Protocol):
    """What the SDK's clients have in common."""

    def close(self) -> None: ...


Client = TypeVar("Client", bound=Closing)


class Bearer(HTTPPolicy[HttpRequest, HttpResponse]):
    """Sends the token along. A refused one had no effect, so the request is sent once more, with a new one."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__()
        self._tokens = tokens

    def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, HttpResponse]:
        if not request.http_request.url.startswith("https://"):
            raise ServiceRequestError("a token is sent over TLS only")
        response = self._sent(request)
        if response.http_response.status_code == _UNAUTHORIZED:
            response = self._sent(request)
        return response

    def _sent(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, HttpResponse]:
        token = self._tokens.current()
        request.http_request.headers["Authorization"] = f"Bearer {token}"
        response = self.next.send(request)
        if response.http_response.status_code == _UNAUTHORIZED:
            self._tokens.refused(token)
        return response


class SdkSession(Generic[Client]):
    """One SDK client, made at the first call.

    Args:
        settings: where it connects, and how it signs in.
        connect: makes the client, from the keyword arguments that all clients of the SDK take.
    """

    def __init__(self, settings: AzureSettings, connect: Callable[[dict[str, Any]], Client]) -> None:
        self._settings = settings
        self._connect = connect
        self._tokens = Tokens(settings)
        self._lock = threading.Lock()
        self._client: Client | None = None

    @contextmanager
    def calling(self, call: Call) -> Iterator[Client]:
        """The client, for one call whose failure becomes a ProviderError."""
        with edge(call):
            yield self._connected()

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None
        self._tokens.close()

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = self._connect(self._options())
            return self._client

    def _options(self) -> dict[str, Any]:
        settings = self._settings
        options: dict[str, Any] = {
            "credential": self._tokens,  # the clients insist on one; `Bearer` is what uses it
            "subscription_id": settings.subscription,
            "base_url": settings.base_url,
            "policies": [
                RequestIdPolicy(),
                UserAgentPolicy("failoverd"),
                ContentDecodePolicy(),
                Bearer(self._tokens),
            ],
            "connection_timeout": CONNECT_TIMEOUT,
            "read_timeout": settings.timeout,
        }
        if settings.ca_file is not None:
            require_regular(settings.ca_file)
            options["connection_verify"] = str(settings.ca_file)
        return options
