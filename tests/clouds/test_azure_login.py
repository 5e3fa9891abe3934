"""Who may log in, by what, and how Entra says no: the real azure-identity against the local token endpoint."""

import json
import ssl
import time
import urllib.request
from pathlib import Path

import jwt
import pytest
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from clouds.azure import AzureCloud
from clouds.azure_client import AzureSite, client_certificate, dns_client, private_key, public_key
from clouds.azure_tokens import CLIENT, SECRET, App, Federation
from clouds.serving import Luck

SCOPE = "https://management.azure.com/.default"
ISSUER = "https://oidc.example.test"
SUBJECT = "system:serviceaccount:dns:failoverd"


@pytest.fixture
def cloud() -> AzureCloud:
    return AzureCloud()


@pytest.fixture
def app(cloud: AzureCloud) -> App:
    return cloud.directory.apps[CLIENT]


def assertion(tmp_path: Path, *, key: str | None = None, instead: dict[str, object] | None = None) -> Path:
    """The file that Kubernetes would put into the pod."""
    now = time.time()
    claims = {"iss": ISSUER, "sub": SUBJECT, "aud": ["api://AzureADTokenExchange"], "iat": now, "exp": now + 3_600}
    path = tmp_path / "token"
    path.write_text(jwt.encode(claims | (instead or {}), key or private_key(), algorithm="RS256"))
    return path


def refusal(credential: TokenCredential, scope: str = SCOPE) -> str:
    """What the login endpoint said no with."""
    with pytest.raises(ClientAuthenticationError) as caught:
        credential.get_token(scope)
    return str(caught.value)


def works(site: AzureSite, credential: TokenCredential) -> bool:
    with dns_client(site, credential) as client:
        return client.zones.get("dns", "example.test").name == "example.test"


def test_a_secret_buys_a_token_that_the_resource_manager_takes(site: AzureSite) -> None:
    assert works(site, site.by_secret())
    assert site.login.count("GET", "openid-configuration") == 1
    assert site.login.count("POST", "/oauth2/v2.0/token") == 1


def test_a_token_is_kept_by_its_credential_until_it_ends(site: AzureSite) -> None:
    credential = site.by_secret()
    assert works(site, credential)
    assert works(site, credential)
    assert site.login.count("POST") == 1


def test_a_wrong_secret_is_an_invalid_client(site: AzureSite) -> None:
    assert "AADSTS7000215" in refusal(site.by_secret("wrong"))


def test_a_revoked_secret_is_refused_and_its_successor_taken(site: AzureSite, app: App) -> None:
    del app.secrets[SECRET]
    app.secrets["next"] = None
    assert "AADSTS7000215" in refusal(site.by_secret())
    assert works(site, site.by_secret("next"))


def test_an_expired_secret_has_an_error_of_its_own(site: AzureSite, app: App) -> None:
    app.secrets[SECRET] = time.time() - 1
    assert "AADSTS7000222" in refusal(site.by_secret())


def test_an_unknown_application_is_not_found(site: AzureSite) -> None:
    assert "AADSTS700016" in refusal(site.by_secret(client="44444444-4444-4444-8444-444444444444"))


def test_an_unknown_tenant_is_not_found(site: AzureSite) -> None:
    tenant = "55555555-5555-4555-8555-555555555555"
    with pytest.raises(ClientAuthenticationError):
        site.by_secret(tenant=tenant).get_token(SCOPE)
    assert site.login.calls[-1].status == 400


def test_a_disabled_application_may_not_log_in_and_its_tokens_end(site: AzureSite, app: App) -> None:
    credential = site.by_secret()
    assert works(site, credential)
    app.enabled = False
    assert "AADSTS7000112" in refusal(site.by_secret())
    with pytest.raises(ClientAuthenticationError):
        works(site, credential)


def test_conditional_access_keeps_out(site: AzureSite, app: App) -> None:
    app.blocked = True
    assert "AADSTS53003" in refusal(site.by_secret())


def test_a_token_for_another_resource_is_not_issued(site: AzureSite) -> None:
    assert "AADSTS500011" in refusal(site.by_secret(), "https://storage.example.test/.default")


def test_a_scope_that_is_no_default_is_refused(site: AzureSite) -> None:
    assert "AADSTS1002012" in refusal(site.by_secret(), "https://management.azure.com/user_impersonation")


def test_a_registered_certificate_buys_a_token(site: AzureSite, app: App) -> None:
    pem, certificate = client_certificate()
    app.certificates.append(certificate)
    assert works(site, site.by_certificate(pem))


def test_a_certificate_that_is_not_registered_is_refused(site: AzureSite) -> None:
    pem, _ = client_certificate()
    assert "AADSTS700027" in refusal(site.by_certificate(pem))


def test_an_assertion_from_a_clock_that_is_an_hour_off_is_refused(cloud: AzureCloud, site: AzureSite, app: App) -> None:
    pem, certificate = client_certificate()
    app.certificates.append(certificate)
    cloud.directory.clock = lambda: time.time() + 3_600
    assert "AADSTS700024" in refusal(site.by_certificate(pem))


def test_a_federated_workload_logs_in_with_the_token_of_its_own_issuer(
    site: AzureSite, app: App, tmp_path: Path
) -> None:
    app.federations.append(Federation(ISSUER, SUBJECT, public_key()))
    assert works(site, site.by_workload(assertion(tmp_path)))


@pytest.mark.parametrize(
    ("instead", "number"),
    [
        ({"iss": "https://elsewhere.example.test"}, "AADSTS700211"),
        ({"sub": "system:serviceaccount:dns:somebody"}, "AADSTS700213"),
        ({"aud": ["api://another"]}, "AADSTS700212"),
        ({"exp": 1_000_000_000}, "AADSTS700024"),
    ],
)
def test_a_federated_token_that_does_not_fit_is_refused_by_what_does_not_fit(
    site: AzureSite, app: App, tmp_path: Path, instead: dict[str, object], number: str
) -> None:
    app.federations.append(Federation(ISSUER, SUBJECT, public_key()))
    assert number in refusal(site.by_workload(assertion(tmp_path, instead=instead)))


def test_a_federated_token_with_a_foreign_signature_is_refused(site: AzureSite, app: App, tmp_path: Path) -> None:
    app.federations.append(Federation(ISSUER, SUBJECT, public_key()))
    foreign = client_certificate()[0].decode().partition("-----BEGIN CERTIFICATE")[0]
    assert "AADSTS700027" in refusal(site.by_workload(assertion(tmp_path, key=foreign)))


def test_a_throttled_login_says_when_to_come_again(site: AzureSite) -> None:
    site.login.expect(Luck.THROTTLE, method="POST", retry_after=7)
    context = ssl.create_default_context(cafile=site.ca)
    tenant = site.cloud.directory.tenant
    request = urllib.request.Request(f"{site.login.url}/{tenant}/oauth2/v2.0/token", b"", method="POST")  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=3, context=context)  # noqa: S310
    with caught.value as answer:
        assert (answer.code, answer.headers["retry-after"]) == (429, "7")
        assert json.load(answer)["error"] == "temporarily_unavailable"


def test_a_client_that_does_not_know_the_ca_does_not_send_its_secret(site: AzureSite) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(site.login.url, timeout=3)  # noqa: S310
    assert site.login.count() == 0
