"""The answer function, message by message: no sockets, fixed seed."""

import struct
from collections import Counter
from collections.abc import Mapping
from unittest.mock import patch

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.tsigkeyring
import dns.update
import pytest
from dns.rdatatype import RdataType
from dns.rdtypes.IN.SRV import SRV
from support.embedded_dns import records, store_of, target, types, values

from failoverd.core.records import RecordType, Target
from failoverd.providers.embedded import zone
from failoverd.providers.embedded.answering import MAX_QUERY, Transport
from failoverd.providers.embedded.provider import ZoneStore

API = target(RecordType.A)
API6 = target(RecordType.AAAA)
CHAT = target(RecordType.CNAME, "chat.example.com")
GRPC = target(RecordType.SRV, "_grpc._tcp.example.com")
DEEP = target(RecordType.A, "a.b.c.example.com")
INSIDE = target(RecordType.CNAME, "inside.example.com")
BROKEN = target(RecordType.CNAME, "broken.example.com")
LOOP_A, LOOP_B = target(RecordType.CNAME, "loop-a.example.com"), target(RecordType.CNAME, "loop-b.example.com")
MANY = target(RecordType.SRV, "_many._tcp.example.com")
STAR = target(RecordType.A, "*.star.example.com")
STAR_CNAME = target(RecordType.CNAME, "*.alias.example.com")

PUBLISHED: Mapping[Target, Mapping[str, int]] = {
    API: {"192.0.2.10": 70, "198.51.100.10": 30},
    API6: {"2001:db8::10": 1},
    CHAT: {"east.example.net": 3, "west.example.net": 1},
    GRPC: {"east.example.net:443": 70, "west.example.net:8443": 30},
    DEEP: {"192.0.2.20": 1},
    INSIDE: {"api.example.com": 1},
    BROKEN: {"missing.example.com": 1},
    LOOP_A: {"loop-b.example.com": 1},
    LOOP_B: {"loop-a.example.com": 1},
    STAR: {"192.0.2.30": 1},
    STAR_CNAME: {"api.example.com": 1},
    MANY: {f"host-{index:03}.region-{index % 3}.example.net:443": 1 for index in range(60)},
}


@pytest.fixture
def store() -> ZoneStore:
    return store_of(PUBLISHED)


def ask(store: ZoneStore, query: dns.message.Message, transport: Transport = Transport.UDP) -> dns.message.Message:
    reply = store.answer(query.to_wire(), transport)
    assert reply is not None
    response = dns.message.from_wire(reply)
    assert query.is_response(response)
    return response


def question(name: str, kind: str, **options: object) -> dns.message.Message:
    """Its message id is one that is the same in each run, and with it the ids of the tests that it gives."""
    return dns.message.make_query(name, kind, **{"id": 0x1A2B, **options})  # type: ignore[arg-type] # options by name


# -- answers -----------------------------------------------------------------------------------------------------------


def test_an_address_is_answered_with_authority_and_without_offering_recursion(store: ZoneStore) -> None:
    response = ask(store, question("api.example.com", "AAAA"))

    assert values(response) == ["2001:db8::10"]
    assert response.answer[0].ttl == 30
    assert response.flags & dns.flags.AA
    assert response.flags & dns.flags.RD
    assert not response.flags & dns.flags.RA
    assert not response.authority


def test_recursion_desired_is_copied_when_it_is_clear_too(store: ZoneStore) -> None:
    assert not ask(store, question("api.example.com", "AAAA", flags=0)).flags & dns.flags.RD


@pytest.mark.parametrize(
    ("at", "share"),
    [(API, {"192.0.2.10": 0.7, "198.51.100.10": 0.3}), (CHAT, {"east.example.net": 0.75, "west.example.net": 0.25})],
    ids=str,
)
def test_each_query_draws_one_value_and_the_draws_agree_with_the_weights(
    store: ZoneStore, at: Target, share: Mapping[str, float]
) -> None:
    draws = 5_000
    wire = question(at.key.name, at.key.type.value).to_wire()
    replies = Counter(store.answer(wire, Transport.UDP) for _ in range(draws))
    seen = {values(dns.message.from_wire(reply or b""))[0]: count for reply, count in replies.items()}

    chi_squared = sum((seen[value] - draws * part) ** 2 / (draws * part) for value, part in share.items())
    assert seen.keys() == share.keys()
    assert chi_squared < 10.83  # one degree of freedom: exceeded once in a thousand seeds


def test_a_weight_of_zero_is_never_answered() -> None:
    store = store_of({API: {"192.0.2.10": 1, "192.0.2.11": 0}, GRPC: {"a.example.net:1": 5, "b.example.net:2": 0}})

    assert {values(ask(store, question("api.example.com", "A")))[0] for _ in range(200)} == {"192.0.2.10"}
    assert values(ask(store, question(GRPC.key.name, "SRV"))) == ["0 5 1 a.example.net"]


def test_srv_gives_all_targets_with_their_weights_so_that_the_client_weighs(store: ZoneStore) -> None:
    response = ask(store, question("_grpc._tcp.example.com", "SRV"))

    found = {rdata for rdata in response.answer[0] if isinstance(rdata, SRV)}
    assert {(srv.priority, srv.weight, srv.port, srv.target.to_text()) for srv in found} == {
        (0, 70, 443, "east.example.net."),
        (0, 30, 8443, "west.example.net."),
    }


def test_a_cname_answers_queries_for_addresses(store: ZoneStore) -> None:
    response = ask(store, question("chat.example.com", "A"))

    assert types(response) == ["CNAME"]
    assert response.rcode() == dns.rcode.NOERROR


def test_a_cname_into_the_zone_is_followed_to_the_address(store: ZoneStore) -> None:
    response = ask(store, question("inside.example.com", "AAAA"))

    assert types(response) == ["CNAME", "AAAA"]
    assert values(response) == ["2001:db8::10", "api.example.com"]


def test_a_cname_to_a_missing_name_of_the_zone_says_so(store: ZoneStore) -> None:
    response = ask(store, question("broken.example.com", "A"))

    assert types(response) == ["CNAME"]
    assert response.rcode() == dns.rcode.NXDOMAIN
    assert response.authority[0].rdtype == RdataType.SOA


@pytest.mark.parametrize("name", ["a.star.example.com", "a.b.star.example.com", "*.star.example.com"])
def test_a_wildcard_answers_for_all_names_below_it_at_their_own_name(store: ZoneStore, name: str) -> None:
    response = ask(store, question(name, "A"))
    (rrset,) = response.answer
    assert (rrset.name.to_text(), values(response)) == (f"{name}.", ["192.0.2.30"])


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        ("a.star.example.com", "AAAA", dns.rcode.NOERROR),  # the wildcard has no such type
        ("star.example.com", "A", dns.rcode.NOERROR),  # it exists, for what is below it
        ("_wildcard.star.example.com", "A", dns.rcode.NOERROR),  # so does what the marker stands below
        ("a._wildcard.star.example.com", "A", dns.rcode.NXDOMAIN),
        ("a.*.star.example.com", "A", dns.rcode.NXDOMAIN),  # below the asterisk, which exists (RFC 4592, 2.2.1)
    ],
)
def test_a_wildcard_says_nothing_of_names_that_exist_or_are_below_one_that_does(
    store: ZoneStore, name: str, kind: str, rcode: dns.rcode.Rcode
) -> None:
    response = ask(store, question(name, kind))
    assert (response.rcode(), response.answer) == (rcode, [])


def test_a_wildcard_may_be_an_alias(store: ZoneStore) -> None:
    response = ask(store, question("a.alias.example.com", "AAAA"))
    assert [rrset.name.to_text() for rrset in response.answer] == ["a.alias.example.com.", "api.example.com."]


def test_cnames_in_a_circle_end(store: ZoneStore) -> None:
    response = ask(store, question("loop-a.example.com", "A"))

    assert set(types(response)) == {"CNAME"}
    assert response.rcode() == dns.rcode.NOERROR


def test_names_compare_without_case_and_the_question_comes_back_as_it_was_written(store: ZoneStore) -> None:
    response = ask(store, question("aPi.eXAMple.CoM", "AAAA"))

    assert response.question[0].name.to_text() == "aPi.eXAMple.CoM."
    assert response.answer[0].name.to_text() == "aPi.eXAMple.CoM."


def test_the_apex_has_soa_and_ns_with_the_address_of_the_name_server(store: ZoneStore) -> None:
    soa, ns = ask(store, question("example.com", "SOA")), ask(store, question("example.com", "NS"))

    assert values(soa)[0].startswith("ns.example.com. hostmaster.example.com. ")
    assert values(ns) == ["ns.example.com"]
    assert [str(rrset) for rrset in ns.additional] == ["ns.example.com. 300 IN A 127.0.0.1"]
    assert values(ask(store, question("ns.example.com", "A"))) == ["127.0.0.1"]


def test_the_serial_grows_with_each_change(store: ZoneStore) -> None:
    def serial() -> int:
        return int(values(ask(store, question("example.com", "SOA")))[0].split()[2])

    before = serial()
    store.put(API, store.place(API))
    assert serial() == before + 1


def test_any_gets_one_small_record(store: ZoneStore) -> None:
    assert values(ask(store, question("api.example.com", "ANY"))) == ['"RFC8482" ""']
    assert types(ask(store, question("chat.example.com", "ANY"))) == ["CNAME"]


# -- denials -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        ("nobody.example.com", "A", dns.rcode.NXDOMAIN),
        ("below.api.example.com", "A", dns.rcode.NXDOMAIN),
        ("api.example.com", "MX", dns.rcode.NOERROR),
        ("example.com", "A", dns.rcode.NOERROR),
        ("b.c.example.com", "A", dns.rcode.NOERROR),
        ("c.example.com", "ANY", dns.rcode.NOERROR),
        ("_tcp.example.com", "SRV", dns.rcode.NOERROR),
        ("_failoverd.c.example.com", "A", dns.rcode.NXDOMAIN),
        ("_failoverd.api.example.com", "A", dns.rcode.NOERROR),
    ],
)
def test_a_denial_tells_a_missing_name_from_missing_data_and_carries_the_soa(
    store: ZoneStore, name: str, kind: str, rcode: dns.rcode.Rcode
) -> None:
    response = ask(store, question(name, kind))

    assert response.rcode() == rcode
    assert not response.answer
    assert response.flags & dns.flags.AA
    (soa,) = response.authority
    assert (soa.name.to_text(), soa.rdtype, soa.ttl) == ("example.com.", RdataType.SOA, 5)


def test_the_closest_zone_answers_when_one_lies_in_another() -> None:
    inner = target(RecordType.A, "api.lab.example.com", "lab.example.com")
    store = store_of({inner: {"192.0.2.30": 1}}, zones=("example.com", "lab.example.com"))

    assert values(ask(store, question("api.lab.example.com", "A"))) == ["192.0.2.30"]
    denied = ask(store, question("no.lab.example.com", "A"))
    assert denied.authority[0].name.to_text() == "lab.example.com."


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "rcode"),
    [
        (question("example.org", "A"), dns.rcode.REFUSED),
        (question("com", "NS"), dns.rcode.REFUSED),
        (question("notexample.com", "A"), dns.rcode.REFUSED),
        (question(".", "NS"), dns.rcode.REFUSED),
        (question("version.bind", "TXT", rdclass="CH"), dns.rcode.REFUSED),
        (question("api.example.com", "A", rdclass="ANY"), dns.rcode.REFUSED),
        (question("example.com", "AXFR"), dns.rcode.REFUSED),
        (question("example.com", "IXFR"), dns.rcode.REFUSED),
        (question("example.com", "MAILB"), dns.rcode.NOTIMP),
        (question("example.com", "OPT"), dns.rcode.NOTIMP),
        (question("example.com", "SOA", use_edns=1), dns.rcode.BADVERS),
    ],
    ids=str,
)
def test_what_is_not_served_is_refused_without_authority(
    store: ZoneStore, query: dns.message.Message, rcode: dns.rcode.Rcode
) -> None:
    response = ask(store, query)

    assert response.rcode() == rcode
    assert not response.flags & dns.flags.AA
    assert [response.answer, response.authority, response.additional] == [[], [], []]


def test_badvers_says_which_version_is_spoken(store: ZoneStore) -> None:
    response = ask(store, question("example.com", "SOA", use_edns=100))

    assert (response.edns, response.rcode()) == (0, dns.rcode.BADVERS)


@pytest.mark.parametrize("opcode", [code for code in range(16) if code != dns.opcode.QUERY])
def test_another_opcode_is_not_implemented(store: ZoneStore, opcode: int) -> None:
    wire = bytearray(question("api.example.com", "A").to_wire())
    wire[2] = opcode << 3

    reply = store.answer(bytes(wire), Transport.UDP)

    assert reply is not None
    assert reply[:4] == bytes([wire[0], wire[1], 0x80 | opcode << 3, dns.rcode.NOTIMP])


def test_an_update_from_outside_is_not_implemented_and_changes_nothing(store: ZoneStore) -> None:
    update = dns.update.UpdateMessage("example.com")
    update.replace("api.example.com", 1, "A", "203.0.113.66")

    reply = store.answer(update.to_wire(), Transport.TCP)

    assert reply is not None
    assert dns.message.from_wire(reply).rcode() == dns.rcode.NOTIMP
    assert values(ask(store, question("api.example.com", "A")))[0] in PUBLISHED[API]


def test_a_signed_query_is_told_that_no_key_is_known(store: ZoneStore) -> None:
    query = question("api.example.com", "A")
    query.use_tsig(dns.tsigkeyring.from_text({"stranger.": "c2VjcmV0"}))

    reply = store.answer(query.to_wire(), Transport.UDP)

    assert reply is not None
    assert dns.message.from_wire(reply, ignore_trailing=True).rcode() == dns.rcode.NOTAUTH


# -- malformed messages ------------------------------------------------------------------------------------------------

GOOD = question("api.example.com", "A").to_wire()
COMPRESSION_LOOP = GOOD[:12] + b"\xc0\x0c" + b"\x00\x01\x00\x01"
FORWARD_POINTER = GOOD[:12] + b"\xc0\x40" + b"\x00\x01\x00\x01"
TWO_OPTS = question("api.example.com", "A", use_edns=0).to_wire()
TWO_OPTS = TWO_OPTS[:11] + b"\x02" + TWO_OPTS[12:] + TWO_OPTS[-11:]


@pytest.mark.parametrize(
    "wire",
    [
        GOOD[:-1],
        GOOD[:12],
        GOOD + b"\x00",
        GOOD[:4] + b"\x00\x00" + GOOD[6:12],
        GOOD[:4] + b"\x00\x02" + GOOD[6:] + GOOD[12:],
        GOOD[:6] + b"\xff\xff" + GOOD[8:],
        GOOD[:10] + b"\xff\xff" + GOOD[12:],
        COMPRESSION_LOOP,
        FORWARD_POINTER,
        GOOD[:12] + b"\x40" + GOOD[13:],
        GOOD[:12] + b"\x3f" + b"a" * 20,
        TWO_OPTS,
        GOOD + b"\x00" * MAX_QUERY,
    ],
    ids=[
        "cut short",
        "no question after all",
        "trailing bytes",
        "no question",
        "two questions",
        "65,535 answers announced",
        "65,535 additional records announced",
        "name that points at itself",
        "name that points forward",
        "reserved label type",
        "label longer than the message",
        "two OPT records",
        "longer than any query",
    ],
)
def test_a_malformed_query_is_told_so_with_a_bare_header(store: ZoneStore, wire: bytes) -> None:
    reply = store.answer(wire, Transport.TCP)

    assert reply == wire[:2] + bytes([0x80 | wire[2] & 1, dns.rcode.FORMERR]) + bytes(8)


@pytest.mark.parametrize("wire", [b"", b"\x00", GOOD[:11], GOOD[:2] + b"\x80" + GOOD[3:], b"\xff" * 512])
def test_fragments_and_responses_get_silence(store: ZoneStore, wire: bytes) -> None:
    assert store.answer(wire, Transport.UDP) is None


# -- size and EDNS -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "room"),
    [
        ({"use_edns": False}, 512),
        ({"use_edns": 0, "payload": 0}, 512),
        ({"use_edns": 0, "payload": 600}, 600),
        ({"use_edns": 0, "payload": 1232}, 1232),
        ({"use_edns": 0, "payload": 65_535}, 1232),
    ],
    ids=["without EDNS", "absurdly small", "small", "usual", "absurdly large"],
)
def test_over_udp_what_does_not_fit_is_cut_and_the_client_told_to_come_back(
    store: ZoneStore, options: Mapping[str, int], room: int
) -> None:
    reply = store.answer(question(MANY.key.name, "SRV", **options).to_wire(), Transport.UDP)

    assert reply is not None
    assert len(reply) <= room
    response = dns.message.from_wire(reply)
    assert response.flags & dns.flags.TC
    assert not response.answer


def test_over_tcp_everything_fits_whatever_edns_says(store: ZoneStore) -> None:
    response = ask(store, question(MANY.key.name, "SRV", use_edns=0, payload=512), Transport.TCP)

    assert len(response.answer[0]) == 60
    assert not response.flags & dns.flags.TC


def test_edns_is_answered_with_edns_its_own_size_and_the_do_bit_copied(store: ZoneStore) -> None:
    option = dns.edns.GenericOption(dns.edns.OptionType.make(65_001), b"unknown")
    asked = question("api.example.com", "A", use_edns=0, want_dnssec=True, options=[option])
    response = ask(store, asked)

    assert (response.edns, response.payload) == (0, 1232)
    assert response.ednsflags & dns.flags.DO
    assert not response.options
    assert ask(store, question("api.example.com", "A", use_edns=False)).edns == -1


def test_a_padded_query_gets_no_padding_that_could_outgrow_its_room(store: ZoneStore) -> None:
    asked = question("api.example.com", "A", use_edns=0, payload=512, pad=468)
    reply = store.answer(asked.to_wire(), Transport.UDP)

    assert reply is not None
    assert len(reply) < 100


# -- what failoverd says about itself ----------------------------------------------------------------------------------


def test_marker_and_weights_stand_beside_the_name(store: ZoneStore) -> None:
    marker = ask(store, question("_failoverd.api.example.com", "TXT"))
    weights = ask(store, question("_weights._failoverd.api.example.com", "TXT"))

    assert values(marker) == ['"v=1 owner=prod policy=inference-api gen=1 types=A,AAAA"']
    assert values(weights) == [
        '"A 30 192.0.2.10=70"',
        '"A 30 198.51.100.10=30"',
        '"AAAA 30 2001:db8::10=1"',
        '"marker v=1 owner=prod policy=inference-api gen=1 types=A,AAAA"',
    ]
    assert weights.answer[0].ttl == 0


def test_a_header_of_an_answer_is_laid_out_as_rfc_1035_says(store: ZoneStore) -> None:
    reply = store.answer(question("api.example.com", "A", id=0xBEEF, use_edns=False).to_wire(), Transport.UDP)

    assert reply is not None
    assert struct.unpack("!HHHHHH", reply[:12]) == (0xBEEF, 0x8500, 1, 1, 0, 0)


# -- what is not known yet ---------------------------------------------------------------------------------------------


def unknown(response: dns.message.Message) -> bool:
    """Whether it says "ask again", and nothing that a resolver could keep as the truth."""
    nothing = not (response.answer or response.authority or response.flags & dns.flags.AA)
    return response.rcode() == dns.rcode.SERVFAIL and nothing


def test_before_the_files_are_read_no_name_is_denied_and_what_is_known_is_answered() -> None:
    store = store_of({API: {"192.0.2.10": 1}, BROKEN: {"missing.example.com": 1}})
    store.expect([], whole=False)

    assert values(ask(store, question("api.example.com", "A"))) == ["192.0.2.10"]
    assert values(ask(store, question("example.com", "NS"))) == ["ns.example.com"]
    assert ask(store, question("api.example.com", "AAAA")).rcode() == dns.rcode.NOERROR
    assert unknown(ask(store, question("chat.example.com", "A")))
    assert unknown(ask(store, question("broken.example.com", "A")))  # half of a chain is no answer either


def test_a_name_that_is_steered_and_was_never_published_is_not_denied() -> None:
    store = store_of({})
    store.expect([API, CHAT, DEEP, STAR], whole=True)

    assert unknown(ask(store, question("api.example.com", "A")))
    assert unknown(ask(store, question("chat.example.com", "A")))
    assert unknown(ask(store, question("any.star.example.com", "A")))
    assert ask(store, question("api.example.com", "AAAA")).rcode() == dns.rcode.NOERROR  # nobody will ever answer it
    assert ask(store, question("c.example.com", "A")).rcode() == dns.rcode.NOERROR  # the name below it may come
    assert ask(store, question("typo.example.com", "A")).rcode() == dns.rcode.NXDOMAIN


def test_what_is_published_then_is_answered_and_stays_when_nobody_steers_it_any_more() -> None:
    store = store_of({})
    store.expect([API, CHAT], whole=True)
    store.put(API, store.place(API).having(records(API, {"192.0.2.10": 1}), None))
    assert values(ask(store, question("api.example.com", "A"))) == ["192.0.2.10"]

    store.expect([], whole=True)
    assert values(ask(store, question("api.example.com", "A"))) == ["192.0.2.10"]
    assert ask(store, question("chat.example.com", "A")).rcode() == dns.rcode.NXDOMAIN


def test_what_did_not_change_is_not_compiled_again() -> None:
    """A policy that comes to a thousand others costs what one costs, with no query waiting for the rest."""
    store = store_of({API: {"192.0.2.10": 1}})
    store.expect([API], whole=True)
    with patch.object(zone, "_nodes", wraps=zone._nodes) as compiled:
        store.expect([API, CHAT], whole=True)
    assert [call.args[0].name for call in compiled.call_args_list] == ["chat.example.com"]
    assert unknown(ask(store, question("chat.example.com", "A")))
    assert values(ask(store, question("api.example.com", "A"))) == ["192.0.2.10"]


def test_an_alias_that_is_steered_where_addresses_stand_hides_none_of_them() -> None:
    store = store_of({API: {"192.0.2.10": 1}})
    store.expect([target(RecordType.CNAME)], whole=True)

    assert values(ask(store, question("api.example.com", "A"))) == ["192.0.2.10"]
