"""Who a pod is in its cluster: where the API server is, and its token, as the kubelet brings them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from failoverd.core.errors import CoordinationError
from failoverd.files import read_regular
from failoverd.outgoing import read_secret

MOUNTED: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_MOST_NAME: Final = 253

_REMEDY: Final = "run it in a pod with `automountServiceAccountToken: true` (kubernetes/overlays/members)"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What a pod knows of its cluster.

    Attributes:
        address: of the API server, such as `https://10.0.0.1:443`.
        folder: with the files `token`, `ca.crt` and `namespace`.
    """

    address: str
    folder: Path = MOUNTED

    @classmethod
    def of_pod(cls, environment: Mapping[str, str], folder: Path = MOUNTED) -> Self:
        """That of the pod whose environment this is. Raises CoordinationError outside of any pod."""
        host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            words = "this is no pod of a Kubernetes cluster: KUBERNETES_SERVICE_HOST is not set"
            raise CoordinationError(words, reason="not_in_cluster", remedy=_REMEDY)
        return cls(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}", folder)

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.crt"

    async def token(self) -> str:
        """As it is now: the kubelet renews it within the hour. Raises FailoverdError."""
        return await asyncio.to_thread(read_secret, self.folder / "token")

    async def namespace(self) -> str:
        """That of the pod. Raises CoordinationError."""
        file = self.folder / "namespace"
        try:
            return (await asyncio.to_thread(read_regular, file, _MOST_NAME)).decode().strip()
        except (OSError, ValueError) as error:
            words = f"the namespace of this pod cannot be read from {file}: {getattr(error, 'strerror', None) or error}"
            raise CoordinationError(words, reason="no_namespace", remedy=_REMEDY) from None
