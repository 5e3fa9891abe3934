"""OCI's steering policies keep their rules: templates, weights, conditions, attachments."""

import copy
from collections.abc import Callable, Iterator

import oci  # type: ignore[import-untyped, unused-ignore]
import pytest
from clouds.oci import COMPARTMENT, OciCloud, load_balance
from clouds.oci_client import dns_client, oci_serving
from clouds.oci_rest import Ask, Json

API = "api.example.test"
ANSWERS = {"east": ("192.0.2.1", 70), "west": ("192.0.2.2", 30)}


@pytest.fixture
def cloud() -> OciCloud:
    return OciCloud(private_zones=["inside.test"])


@pytest.fixture
def client(cloud: OciCloud) -> Iterator[oci.dns.DnsClient]:
    with oci_serving(cloud) as endpoint:
        yield dns_client(endpoint.url)


@pytest.fixture
def policy(client: oci.dns.DnsClient) -> str:
    """The OCID of a policy that the SDK made."""
    return str(client.create_steering_policy(load_balance("api", "A", ANSWERS)).data.id)


def refused(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(oci.exceptions.ServiceError) as caught:
        call()
    return caught.value.status, caught.value.code


def attachment(cloud: OciCloud, policy: str, name: str = API) -> Json:
    return {"steeringPolicyId": policy, "zoneId": cloud.zone(name).id, "domainName": name}


ONCE = "one-of-a-kind"
INVALID = (400, "InvalidParameter")
STALE = (412, "NoEtagMatch")
CONFLICT = (409, "Conflict")
ABSENT = (404, "NotAuthorizedOrNotFound")


class TestPolicies:
    def test_a_policy_is_made_and_read_back(self, client: oci.dns.DnsClient, policy: str) -> None:
        found = client.get_steering_policy(policy).data
        assert (found.template, found.ttl, found.lifecycle_state) == ("LOAD_BALANCE", 30, "ACTIVE")
        assert [(answer.name, answer.rdata, answer.is_disabled) for answer in found.answers] == [
            ("east", "192.0.2.1", False),
            ("west", "192.0.2.2", False),
        ]
        assert [rule.rule_type for rule in found.rules] == ["FILTER", "WEIGHTED", "LIMIT"]
        assert [entry.value for entry in found.rules[1].default_answer_data] == [70, 30]

    def test_the_sdks_own_models_are_understood(self, client: oci.dns.DnsClient, policy: str) -> None:
        found = client.get_steering_policy(policy).data
        found.rules[1].default_answer_data[0].value = 0
        details = oci.dns.models.UpdateSteeringPolicyDetails(rules=found.rules, answers=found.answers)
        answer = client.update_steering_policy(policy, details)
        assert answer.data.rules[1].default_answer_data[0].value == 0

    def test_a_list_has_neither_rules_nor_answers(self, client: oci.dns.DnsClient, policy: str) -> None:
        summary = client.list_steering_policies(COMPARTMENT).data[0]
        assert summary.id == policy
        assert not hasattr(summary, "rules")
        assert not hasattr(summary, "answers")

    def test_a_list_leaves_them_out_on_the_wire_too(
        self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str
    ) -> None:
        ask = Ask("ListSteeringPolicies", (), {"compartmentId": COMPARTMENT}, {}, b"", 0.0)
        listed = cloud.steering.list_policies(ask).body
        assert isinstance(listed, list)
        assert listed[0]["id"] == policy
        assert {"rules", "answers"} & set(listed[0]) == set()
        assert client.get_steering_policy(policy).data.rules

    def test_a_list_can_be_narrowed_and_comes_in_pages(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        for number in range(3):
            client.create_steering_policy(load_balance(f"number {number}", "A", ANSWERS))
        first = client.list_steering_policies(COMPARTMENT, limit=2)
        rest = client.list_steering_policies(COMPARTMENT, limit=2, page=first.headers["opc-next-page"])
        assert [one.display_name for one in [*first.data, *rest.data]] == ["number 0", "number 1", "number 2"]
        assert "opc-next-page" not in rest.headers
        found = client.list_steering_policies(COMPARTMENT, display_name="number 1").data
        assert [one.display_name for one in found] == ["number 1"]
        assert refused(lambda: client.list_steering_policies("ocid1.compartment.oc1..other")) == ABSENT
        assert len(cloud.steering.policies) == 3

    def test_if_match_refuses_the_second_of_two_writers(self, client: oci.dns.DnsClient, policy: str) -> None:
        etag = client.get_steering_policy(policy).headers["etag"]
        tags = {"freeformTags": {"gen": "8"}}
        answer = client.update_steering_policy(policy, tags, if_match=etag)
        assert answer.data.freeform_tags == {"gen": "8"}
        assert refused(lambda: client.update_steering_policy(policy, tags, if_match=etag)) == STALE
        assert refused(lambda: client.delete_steering_policy(policy, if_match=etag)) == STALE
        assert client.update_steering_policy(policy, tags, if_match=answer.headers["etag"]).status == 200

    def test_an_edit_by_hand_moves_the_etag(self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str) -> None:
        etag = client.get_steering_policy(policy).headers["etag"]
        cloud.edit_answer(policy, "east", weight=1, disabled=True, rdata="192.0.2.9")
        assert refused(lambda: client.update_steering_policy(policy, {"ttl": 60}, if_match=etag)) == STALE
        found = client.get_steering_policy(policy).data
        assert (found.answers[0].rdata, found.answers[0].is_disabled) == ("192.0.2.9", True)
        assert found.rules[1].default_answer_data[0].value == 1

    def test_an_update_keeps_what_it_does_not_name(self, client: oci.dns.DnsClient, policy: str) -> None:
        client.update_steering_policy(policy, {"ttl": 60})
        found = client.get_steering_policy(policy).data
        assert (found.ttl, len(found.answers), found.display_name) == (60, 2, "api")

    def test_a_policy_that_is_changing_takes_no_writes(
        self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str
    ) -> None:
        cloud.hold(policy)
        assert refused(lambda: client.update_steering_policy(policy, {"ttl": 60})) == (409, "IncorrectState")
        cloud.hold(policy, "ACTIVE")
        assert client.update_steering_policy(policy, {"ttl": 60}).status == 200

    def test_a_deleted_policy_is_gone(self, client: oci.dns.DnsClient, policy: str) -> None:
        assert client.delete_steering_policy(policy).status == 204
        assert refused(lambda: client.get_steering_policy(policy)) == ABSENT

    def test_a_retry_token_makes_one_policy(self, cloud: OciCloud, client: oci.dns.DnsClient) -> None:
        body = load_balance("once", "A", ANSWERS)
        ids = {client.create_steering_policy(body, opc_retry_token=ONCE).data.id for _ in range(2)}
        assert len(ids) == len(cloud.steering.policies) == 1
        other = load_balance("twice", "A", ANSWERS)
        again = refused(lambda: client.create_steering_policy(other, opc_retry_token=ONCE))
        assert again == (409, "InvalidatedRetryToken")

    def test_there_is_a_limit_of_policies(self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str) -> None:
        cloud.steering.max_policies = 1
        more = refused(lambda: client.create_steering_policy(load_balance("more", "A", ANSWERS)))
        assert more == (400, "LimitExceeded")
        assert list(cloud.steering.policies) == [policy]


def without_filter(body: Json) -> None:
    del body["rules"][0]


def limit_first(body: Json) -> None:
    body["rules"].insert(0, body["rules"].pop())


def health_without_monitor(body: Json) -> None:
    body["rules"].insert(1, {"ruleType": "HEALTH"})


def monitor_without_health(body: Json) -> None:
    body["healthCheckMonitorId"] = "ocid1.httpmonitor.oc1..test"


def other_filter(body: Json) -> None:
    body["rules"][0]["defaultAnswerData"][0]["answerCondition"] = "answer.isDisabled == false"


def cases(body: Json) -> None:
    body["rules"][1]["cases"] = []


def no_weights(body: Json) -> None:
    del body["rules"][1]["defaultAnswerData"]


def too_heavy(body: Json) -> None:
    body["rules"][1]["defaultAnswerData"][0]["value"] = 256


def negative(body: Json) -> None:
    body["rules"][1]["defaultAnswerData"][0]["value"] = -1


def fraction(body: Json) -> None:
    body["rules"][1]["defaultAnswerData"][0]["value"] = 0.5


def by_pool(body: Json) -> None:
    body["rules"][1]["defaultAnswerData"][0]["answerCondition"] = "answer.pool == 'east'"


def unknown_answer(body: Json) -> None:
    body["rules"][1]["defaultAnswerData"][0]["answerCondition"] = "answer.name == 'north'"


def answer_twice(body: Json) -> None:
    body["rules"][1]["defaultAnswerData"][0]["answerCondition"] = "answer.name == 'west'"


def same_names(body: Json) -> None:
    body["answers"][0]["name"] = "west"


def text_answer(body: Json) -> None:
    body["answers"][0] |= {"rtype": "TXT", "rdata": '"x"'}


def bad_address(body: Json) -> None:
    body["answers"][0]["rdata"] = "192.0.2.999"


def no_count(body: Json) -> None:
    del body["rules"][2]["defaultCount"]


def eleven_tags(body: Json) -> None:
    body["freeformTags"] = {f"t{number}": "x" for number in range(11)}


def long_tag(body: Json) -> None:
    body["freeformTags"] = {"t": "x" * 257}


def unknown_template(body: Json) -> None:
    body["template"] = "ROUND_ROBIN"


class TestRules:
    @pytest.mark.parametrize(
        "spoil",
        [
            without_filter,
            limit_first,
            health_without_monitor,
            monitor_without_health,
            other_filter,
            cases,
            no_weights,
            too_heavy,
            negative,
            fraction,
            by_pool,
            unknown_answer,
            answer_twice,
            same_names,
            text_answer,
            bad_address,
            no_count,
            eleven_tags,
            long_tag,
            unknown_template,
        ],
    )
    def test_a_wrong_policy_is_refused_and_changes_nothing(
        self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str, spoil: Callable[[Json], None]
    ) -> None:
        before = copy.deepcopy(cloud.policy(policy))
        body = load_balance("api", "A", ANSWERS)
        spoil(body)
        assert refused(lambda: client.create_steering_policy(body))[0] == 400
        del body["compartmentId"]
        assert refused(lambda: client.update_steering_policy(policy, body))[0] == 400
        assert cloud.policy(policy) == before

    def test_a_monitor_asks_for_a_health_rule_second(self, client: oci.dns.DnsClient) -> None:
        body = load_balance("api", "A", ANSWERS)
        health_without_monitor(body)
        monitor_without_health(body)
        assert client.create_steering_policy(body).data.rules[1].rule_type == "HEALTH"

    def test_weights_reach_from_0_to_255(self, client: oci.dns.DnsClient) -> None:
        body = load_balance("api", "A", {"low": ("192.0.2.1", 0), "high": ("192.0.2.2", 255)})
        assert client.create_steering_policy(body).status == 201


class TestAttachments:
    def test_an_attachment_hides_the_plain_records_of_its_types(
        self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str
    ) -> None:
        cloud.edit(f"add {API}. 30 A 192.0.2.99")
        cloud.edit(f'add {API}. 30 TXT "x"')
        made = client.create_steering_policy_attachment(attachment(cloud, policy)).data
        assert (made.domain_name, made.rtypes, made.lifecycle_state) == (API, ["A"], "ACTIVE")
        assert cloud.served(API, "A") == {"192.0.2.1": 70, "192.0.2.2": 30}
        assert cloud.served(API, "TXT") == {'"x"': 1}
        assert cloud.records(API, "A") == [f"{API}. 30 A 192.0.2.99"]
        client.delete_steering_policy_attachment(made.id)
        assert cloud.served(API, "A") == {"192.0.2.99": 1}

    def test_a_disabled_answer_is_not_served(self, cloud: OciCloud) -> None:
        policy = cloud.steer(API, "A", {"192.0.2.1": 70, "192.0.2.2": 30})
        cloud.edit_answer(policy, "a1", disabled=True)
        assert cloud.served(API, "A") == {"192.0.2.2": 30}

    def test_a_name_has_one_attachment_for_a_type(
        self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str
    ) -> None:
        client.create_steering_policy_attachment(attachment(cloud, policy))
        assert refused(lambda: client.create_steering_policy_attachment(attachment(cloud, policy))) == CONFLICT
        six = client.create_steering_policy(load_balance("six", "AAAA", {"east": ("2001:db8::1", 1)})).data.id
        assert client.create_steering_policy_attachment(attachment(cloud, six)).data.rtypes == ["AAAA"]
        grown = load_balance("six", "A", ANSWERS)
        del grown["compartmentId"]
        assert refused(lambda: client.update_steering_policy(six, grown)) == CONFLICT

    def test_an_attached_policy_cannot_be_deleted(
        self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str
    ) -> None:
        made = client.create_steering_policy_attachment(attachment(cloud, policy)).data
        assert refused(lambda: client.delete_steering_policy(policy)) == CONFLICT
        client.delete_steering_policy_attachment(made.id)
        assert client.delete_steering_policy(policy).status == 204

    def test_attachments_are_found_by_zone_domain_and_policy(
        self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str
    ) -> None:
        made = client.create_steering_policy_attachment(attachment(cloud, policy)).data
        zone = cloud.zone(API).id
        for wanted in ({"domain": API.upper()}, {"zone_id": zone}, {"steering_policy_id": policy}):
            assert [one.id for one in client.list_steering_policy_attachments(COMPARTMENT, **wanted).data] == [made.id]
        assert client.list_steering_policy_attachments(COMPARTMENT, domain="www.example.test").data == []
        assert client.get_steering_policy_attachment(made.id).data == made

    def test_what_an_attachment_refers_to_must_be_there(
        self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str
    ) -> None:
        create = client.create_steering_policy_attachment
        absent = (400, "RelatedResourceNotAuthorizedOrNotFound")
        assert refused(lambda: create(attachment(cloud, "ocid1.dnspolicy.oc1..absent"))) == absent
        assert refused(lambda: create(attachment(cloud, policy) | {"zoneId": "ocid1.dns-zone.oc1..x"})) == absent
        assert refused(lambda: create(attachment(cloud, policy) | {"domainName": "api.example.com"})) == INVALID
        assert refused(lambda: create(attachment(cloud, policy, "inside.test"))) == INVALID

    def test_an_attachment_changes_its_name_only_and_under_its_etag(
        self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str
    ) -> None:
        made = client.create_steering_policy_attachment(attachment(cloud, policy))
        update = client.update_steering_policy_attachment
        etag = made.headers["etag"]
        assert update(made.data.id, {"displayName": "new"}, if_match=etag).data.display_name == "new"
        assert refused(lambda: update(made.data.id, {"displayName": "newer"}, if_match=etag)) == STALE
        moved = refused(lambda: update(made.data.id, {"domainName": "www.example.test"}))
        assert moved == (400, "CannotParseRequest")

    @pytest.mark.parametrize("permission", ["DNS_ZONE_UPDATE", "DNS_STEERING_POLICY_READ"])
    def test_attaching_needs_two_permissions(
        self, cloud: OciCloud, client: oci.dns.DnsClient, policy: str, permission: str
    ) -> None:
        cloud.user.denied.add(permission)
        assert refused(lambda: client.create_steering_policy_attachment(attachment(cloud, policy))) == ABSENT
