"""What a configuration file says about zones of OCI DNS."""

from pydantic import Field

from failoverd.providers.oci_cloud.settings import OciSettings


class OciDnsSettings(OciSettings):
    """Oracle Cloud DNS: plain records, in the answer or not."""

    operations_per_request: int = Field(
        default=2_000, ge=20, le=20_000, description="how many record operations one request carries at most"
    )
