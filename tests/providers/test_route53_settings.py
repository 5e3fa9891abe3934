"""What a configuration file may say about an AWS account."""

import pytest
from pydantic import ValidationError

from failoverd.core.records import RecordType, Weights
from failoverd.providers.route53 import KIND, Route53Settings


def settings(**said: object) -> Route53Settings:
    return Route53Settings.model_validate({"kind": "route53", "zones": ["example.com"], **said})


def test_a_zone_is_all_that_has_to_be_said() -> None:
    plain = settings()
    assert (plain.region, plain.timeout, plain.requests_per_second) == ("us-east-1", 5.0, 5.0)
    assert plain.hosted_zones == {}
    assert (plain.profile, plain.credentials_file, plain.endpoint, plain.ca_file) == (None, None, None, None)


def test_everything_can_be_said() -> None:
    said = settings(
        hosted_zones={"Example.com.": "Z0EXAMPLE"},
        profile="steering",
        credentials_file="/run/credentials/failoverd/aws",
        ca_file="/etc/ssl/private.pem",
        endpoint="https://route53.internal.example.com",
        region="us-gov-west-1",
        timeout="2s",
        requests_per_second=2,
    )
    assert said.hosted_zones == {"example.com": "Z0EXAMPLE"}
    assert said.timeout == 2.0
    assert str(said.credentials_file) == "/run/credentials/failoverd/aws"


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"hosted_zones": {"example.net": "Z0EXAMPLE"}}, "`hosted_zones` names example.net, which `zones` does not"),
        ({"hosted_zones": {"example.com": "/hostedzone/Z0EXAMPLE"}}, "match pattern"),
        ({"endpoint": "route53.example.com"}, "match pattern"),
        ({"timeout": "0s"}, "greater than 0"),
        ({"requests_per_second": 0}, "greater than 0"),
        ({"secret_access_key": "wJalrXUtnFEMI"}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_work_is_refused(said: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        settings(**said)


def test_its_capabilities_are_weights_in_every_type_and_aliases() -> None:
    assert KIND.capabilities.weights == dict.fromkeys(RecordType, Weights.NATIVE)
    assert KIND.capabilities.single == frozenset()
    assert KIND.capabilities.aliases
    assert (KIND.capabilities.max_weight, KIND.capabilities.max_answers) == (255, 100)
