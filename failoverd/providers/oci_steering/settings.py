"""What a configuration file says about zones whose names OCI steers."""

from pydantic import Field

from failoverd.providers.oci_cloud.settings import Ocid, OciSettings


class OciSteeringSettings(OciSettings):
    """Steering policies of Oracle Cloud: weighted answers, attached to the names of a zone."""

    compartment: Ocid | None = Field(
        default=None, description="OCID of the compartment for new policies; otherwise that of their zone"
    )
