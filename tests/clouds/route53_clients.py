"""Who talks to the local Route 53: the real boto3, and the AWS command line as a reader of its own."""

import functools
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from clouds.serving import Endpoint
from clouds.sigv4 import AccessKey
from support.servers import program

REGION = "us-east-1"
CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=2, read_timeout=5)


class Client(Protocol):
    """As much of boto3's Route 53 client as the tests call; the SDK has no types of its own."""

    def list_resource_record_sets(self, **request: object) -> dict[str, Any]: ...
    def change_resource_record_sets(self, **request: object) -> dict[str, Any]: ...
    def get_change(self, **request: object) -> dict[str, Any]: ...
    def get_hosted_zone(self, **request: object) -> dict[str, Any]: ...
    def list_hosted_zones(self, **request: object) -> dict[str, Any]: ...
    def list_hosted_zones_by_name(self, **request: object) -> dict[str, Any]: ...


@functools.cache
def _session() -> Any:  # noqa: ANN401 - the SDK has no types
    """One for all clients: it looks through the folders of all services first, which takes longer than a test."""
    return boto3.session.Session()


@contextmanager
def boto3_client(endpoint: Endpoint, key: AccessKey, *, region: str = REGION) -> Iterator[Client]:
    """A Route 53 client with these credentials and no others, without retries."""
    client = _session().client(
        "route53",
        endpoint_url=endpoint.url,
        region_name=region,
        aws_access_key_id=key.key_id,
        aws_secret_access_key=key.secret,
        aws_session_token=key.session_token,
        config=CONFIG,
    )
    try:
        yield client
    finally:
        client.close()


def aws_cli(endpoint: Endpoint, key: AccessKey, *words: str) -> Any:  # noqa: ANN401 - JSON
    """What `aws route53 WORDS` prints; raises CalledProcessError with its stderr."""
    environment = {
        "AWS_ACCESS_KEY_ID": key.key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PAGER": "",
        "PATH": os.defpath,
        **({} if key.session_token is None else {"AWS_SESSION_TOKEN": key.session_token}),
    }
    command = [program("aws"), "--endpoint-url", endpoint.url, "--output", "json", "route53", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


@contextmanager
def refused(code: str, *words: str) -> Iterator[None]:
    """Route 53 answers with this error, and its message says all of these words."""
    try:
        yield
    except ClientError as error:
        answer = error.response["Error"]
        assert answer["Code"] == code, answer
        assert all(word in answer["Message"] for word in words), answer["Message"]
        return
    raise AssertionError(f"{code} was expected, and the request went through")


def record(
    name: str,
    rtype: str = "A",
    *values: str,
    ttl: int = 30,
    **more: Any,  # noqa: ANN401 - fields of the SDK: SetIdentifier, Weight, AliasTarget
) -> dict[str, Any]:
    """A ResourceRecordSet as the SDK wants it."""
    plain = {"TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]} if values else {}
    return {"Name": name, "Type": rtype, **more, **plain}


def weighted(name: str, identifier: str, weight: int, value: str, *, ttl: int = 30) -> dict[str, Any]:
    """A weighted set of one address."""
    return record(name, "A", value, ttl=ttl, SetIdentifier=identifier, Weight=weight)


def submit(client: Client, *changes: tuple[str, dict[str, Any]], zone: str = "Z1") -> dict[str, Any]:
    """One ChangeResourceRecordSets of `(action, record set)`; returns its ChangeInfo."""
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": each} for action, each in changes]}
    return dict(client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)["ChangeInfo"])
