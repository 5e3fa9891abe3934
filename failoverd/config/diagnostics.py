"""What is wrong with a file, said so that the person who wrote it can put it right without asking.

Every diagnostic has a stable code. `Code` is the only table of them; the manual lists the same.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from itertools import chain
from typing import Self

from failoverd.core.names import both_ways
from failoverd.core.status import RefusedFile
from failoverd.foreign import shown as escaped

MOST_PROBLEMS = 200
"""Of one file, that are shown."""

_MAX_EXCERPT = 160
_MAX_SHOWN = 60
_MAX_KNOWN = 24
MASK = "***"

_SENSITIVE = (
    r"(?:secret|passw(?:or)?d|pass[_-]?phrase|token|credential|authorization|cookie"
    r"|(?:private|api|access)[_-]?key|key[_-]?content)"
)
_SECRET_VALUE = re.compile(
    rf"""(?ix) ( (?:{_SENSITIVE}|private) [\w-]* (?<!_file) (?<!-file) ["']? \s* [:=] \s* ) (?P<value> [^\s{{] .* )"""
)
_SECRET_KEY = re.compile(rf"(?i)^(?!.*[_-](?:file|path|dir|id|name)$)[^.]*{_SENSITIVE}[^.]*$")
"""No name of DNS, which a mapping may have for a key: `hosted_zones: {secret.example.com: Z1}`."""

_SECRET_ITSELF = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # an access key of AWS
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}"  # a JSON Web Token (RFC 7519)
    r"|://[^/\s:@]*:[^/\s@]+@"  # a password in a URL (RFC 3986, 3.2.1)
)
_KEY_MATERIAL = re.compile(r"[A-Za-z0-9+/=]{32,}")


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """Stable names: FD1xx the file, FD2xx a value, FD3xx how values fit, FD4xx worth a look, FD5xx the machine.

    FD2xx and FD3xx are errors, FD4xx warnings, but for FD403; of the others the moment decides.
    """

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        code = str.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    UNREADABLE = "FD101", "the file or directory cannot be read"
    TOO_LARGE = "FD102", "the file is too large"
    NOT_UTF8 = "FD103", "the file is not UTF-8"
    NOT_YAML = "FD104", "the file is not YAML"
    TOO_COMPLEX = "FD105", "the file is nested too deeply, or has too many values, or a line that is too long"
    DUPLICATE_KEY = "FD106", "a key is written twice in one mapping"
    KEY_NOT_TEXT = "FD107", "a key is not text"
    ALIAS = "FD108", "the file uses anchors or aliases"
    TAG = "FD109", "the file uses tags"
    SEVERAL_DOCUMENTS = "FD110", "the file holds several documents"
    NOT_A_MAPPING = "FD111", "the file is empty or is not a mapping"
    NOT_PLAIN = "FD112", "a value is not finite, or holds half of a character"
    WRONG_YAML = "FD113", "the file asks for another YAML version than 1.2"
    NO_POLICIES = "FD114", "the directory holds no policy file"
    MORE = "FD115", "the file has more problems than are shown"
    DEFECT = "FD116", "the file shows a defect of failoverd"

    UNKNOWN_KEY = "FD201", "a key is not known here"
    MISSING_KEY = "FD202", "a key is missing"
    WRONG_TYPE = "FD203", "a value is of the wrong type"
    BAD_VALUE = "FD204", "a value cannot be used"
    NOT_ONE_OF = "FD205", "a value is not one of those allowed"
    NO_CHECK_KIND = "FD206", "a check does not say its kind"
    SEVERAL_CHECK_KINDS = "FD207", "a check says several kinds"
    UNKNOWN_PROVIDER_KIND = "FD208", "a provider kind is not known"
    INLINE_SECRET = "FD209", "a secret is written inline"
    RECEIVER_KIND = "FD210", "a receiver of notifications does not say its kind, or several"

    UNKNOWN_REGION = "FD301", "a region is not in the inventory"
    UNKNOWN_PROVIDER = "FD302", "a provider is not in the daemon's configuration"
    NO_ZONE = "FD303", "no zone of the provider holds the record"
    NAME_TAKEN = "FD304", "another policy owns the record's name"
    POLICY_TWICE = "FD305", "another file has a policy of the same name"
    ENDPOINT_TWICE = "FD306", "an endpoint is written twice"
    REGION_IDLE = "FD307", "no record can answer with any endpoint of a region"
    RECORD_IDLE = "FD308", "no region has an endpoint that a record can answer with"
    TYPE_UNMANAGED = "FD309", "a provider cannot manage records of this type"
    NO_WEIGHTS = "FD310", "a provider has no weights for this record type"
    SINGLE_ANSWER = "FD311", "a record type holds one answer at a time, and the policy needs more"
    TTL_TOO_LOW = "FD312", "the TTL is lower than the provider's lowest"
    SHARES = "FD313", "the shares say nothing that could be published"
    RECORD_CONFLICT = "FD314", "two records of a policy exclude each other"
    CNAME_PLACE = "FD315", "a CNAME cannot stand where it is written"
    TOO_FEW_REGIONS = "FD316", "limits.min_regions is more than the normal answer has"
    THRESHOLDS = "FD317", "thresholds contradict each other"
    CHECK_TIMES = "FD318", "the times of a check are out of bounds or contradict each other"
    TOO_MANY_ANSWERS = "FD319", "a record could have more answers than a provider holds"
    NO_ALIASES = "FD320", "a provider cannot answer with an alias"
    UNKNOWN_DEPENDENCY = "FD321", "a region depends on something that the policy does not have"
    NAME_CLASH = "FD322", "a dependency has the name of a check or a region, or is named twice"
    NO_WILDCARD = "FD323", "a provider cannot manage a wildcard"
    RULE_UNMET = "FD324", "a rule of the inventory asks for what can never be so"
    WORK_UNBEARABLE = "FD325", "the regions that are left cannot bear planned work"
    WORK_ENDLESS = "FD326", "windows of planned work follow each other without a pause"
    PLACE_OWN = "FD327", "a named place is an address of a region of its policy"
    NOBODY_MAY_ANSWER = "FD330", "residency, or the model, leaves nobody who may answer a record"
    PLACE_IDLE = "FD331", "a named place cannot answer a record"
    PLACE_OUTSIDE = "FD332", "a named place is outside of the residency of its policy"
    CANARY = "FD333", "a canary is no region of the policy"
    MODEL_CHECK = "FD334", "a check asks for another model than the policy"
    TRICKLE_UNSAID = "FD340", "a standby cannot be kept tested, for no part of the traffic can be said"
    UNITS_DIFFER = "FD350", "a policy and its regions count in different units"
    UNKNOWN_SOURCE = "FD351", "a source of measures is not in the daemon's configuration"
    QUERY_UNFIT = "FD352", "a query, or what is declared beside it, cannot be meant so"
    NEVER_FIRES = "FD353", "a signal could never move anything, or always would"
    CHECKS_NEEDED = "FD360", "more checks have to be well than there are"
    LATENCY_BAND = "FD361", "the bounds of latency contradict each other, or nothing measures it"
    COST_UNKNOWN = "FD370", "a policy follows the price, and what a request costs cannot be reckoned"
    LINK_NOWHERE = "FD371", "a link leads to what the inventory does not have, or from a place to itself"
    LINK_TWICE = "FD372", "two links join the same places"
    COST_UNSAYABLE = "FD373", "a policy follows the price, and its records cannot say shares"
    COST_UNBOUND = "FD374", "a policy follows the price, and nothing bounds what a region gets"
    DATA_UNBOUND = "FD375", "data is moved for requests, and nobody says how many there are"
    PRACTICE_REGION = "FD380", "a practice is about a region that is not there, or about the only one"
    PRACTICE_NEVER = "FD381", "a practice never begins"
    PRACTICE_ENDLESS = "FD382", "a practice is longer than the time between two of them"
    PRACTICE_CHECK = "FD383", "a practice names a check that is not there"

    MEMBER_UNKNOWN = "FD390", "the member that a daemon is said to be is none of the members"
    NOBODY_LEADS = "FD391", "no member may ever write"
    PROBE_FACTOR = "FD392", "more members are to probe each endpoint than there are"
    LEASE_SHORT = "FD393", "a write to a provider may outlast the lease of the member that began it"
    PROVIDER_APART = "FD394", "a provider lives in each daemon, and there are several"

    SLOW_CHECK = "FD401", "a check may take longer than its interval"
    SHARES_NOT_WHOLE = "FD402", "shares do not add up to 100"
    LIMIT_BLOCKS = "FD403", "a limit holds back the failover of a region"
    NO_CAPACITY = "FD404", "a policy states its demand and a region no capacity"
    TOO_LITTLE_CAPACITY = "FD405", "the regions together cannot carry the demand"
    IDLE_DEPENDENCY = "FD406", "no region depends on a dependency"
    SENTINEL_STEERED = "FD407", "a sentinel is also an endpoint of a policy"
    UNHEEDED = "FD408", "a check asks for less traffic, and a region that is DEGRADED keeps all of its own"
    SHARE_ROUNDED = "FD409", "a provider's weights cannot say a share to within a tenth of it"
    RULE_KEEPS = "FD410", "a rule of the inventory keeps what is down in the answer for a while"
    WORK_OVER = "FD411", "planned work is over, or never begins"
    RULE_IDLE = "FD412", "a rule of the inventory binds no policy"
    OVERRIDE_IDLE = "FD413", "an operator's override concerns nothing that the files name"
    WORK_SLOW = "FD414", "planned work begins while its regions still get traffic, for a rate has it leave in steps"
    TIER_IDLE = "FD415", "the regions of the first priority have no share, so that those of another get everything"
    PRIORITY_IDLE = "FD416", "no region has a priority before that of another"
    WORK_CLOCK = "FD417", "the clock of a time zone is set during planned work"
    NO_JURISDICTION = "FD420", "a region of a policy with a residency has no jurisdiction"
    OUTSIDE_RESIDENCY = "FD421", "a region of a policy is outside of its residency"
    UNKNOWN_JURISDICTION = "FD422", "a residency allows what no region of the inventory is under"
    PLACE_UNSAID = "FD423", "a record cannot say that a part of its traffic goes to a named place"
    OTHER_MODEL = "FD424", "a region does not serve the model of the policy"
    CANARY_IDLE = "FD425", "a canary is named twice, or differs from nothing, for the policy asks for no model"
    CANARY_CHECKED = "FD426", "a check fails in a canary, for it asks for a revision"
    REVISION_IDLE = "FD427", "a check sees a revision, and nobody says which one is wanted"
    PLACE_UNUSED = "FD428", "what fits nowhere never goes to shed_to: it is a region, or nobody says how much that is"
    WEIGHT_IDLE = "FD430", "the weight of an endpoint says nothing in an answer"
    LATENCY_IDLE = "FD431", "latency moves nothing, for too little is known"
    RAMP_IDLE = "FD435", "regions cannot come back step by step, for no part of a share can be said"
    RAMP_RUSHED = "FD436", "a step of the ramp is over before it can be judged"
    RAMP_RATIONED = "FD437", "a limit has the ramp stand still between its steps"
    TRICKLE_IDLE = "FD438", "no region is a standby that could be kept tested"
    NO_FORECAST = "FD440", "a policy says what a request is, and what it costs cannot be forecast"
    NO_LINK = "FD441", "data is moved to a region to which no link is known"
    LINKS_NARROW = "FD442", "links are too narrow for the data of the demand"
    DATA_UNPROBED = "FD443", "regions need data of another one, and no dependency shows whether it is there"
    COST_IDLE = "FD444", "a policy follows the price, and there is nothing to choose"
    PRACTICE_UNBEARABLE = "FD450", "the other regions cannot bear a practice, so that it would not begin"
    PRACTICE_SKIPPED = "FD451", "a day that a practice skips is over, or none would begin on it"
    PRACTICE_CLOCK = "FD452", "the clock of a practice's time zone is set during it, or during what it blocks"
    PRACTICE_IDLE = "FD453", "no policy has a region of a practice"
    ESTATE_SHORT = "FD460", "the regions cannot carry all policies together on a normal day"
    LOSS_SHORT = "FD461", "without a region, or a cloud, the others cannot carry all policies together"
    UNCOUNTED = "FD462", "a policy without a demand shares a region with policies that have one"
    SIGNAL_IDLE = "FD470", "a signal compares regions, and the policy has one alone"
    UNIT_UNSAID = "FD471", "a unit is not said, and others that share the region say one, or several"

    LEADER_ALONE = "FD480", "one member alone may lead"
    VOTERS_EVEN = "FD481", "an even number of members votes on each endpoint"
    VOTE_ALONE = "FD482", "one member alone probes each endpoint"
    ONE_NETWORK = "FD483", "all members are in one network"
    COORDINATION_OPEN = "FD484", "what members tell each other goes over the network for all to read"
    HOLDS_UNFENCED = "FD485", "a provider without a fence is not written to while nobody can lead"

    FILE_MISSING = "FD501", "a file that a provider needs is not there, or cannot be read"
    SDK_MISSING = "FD502", "the SDK that a provider needs is not installed"
    JOURNAL_PLACE = "FD503", "the journal has no place to be in"
    CHECK_UNFIT = "FD504", "a check or a sentinel cannot be set up on this machine"
    API_UNFIT = "FD505", "the API cannot use its certificate or its tokens, or the certificate has expired or soon will"
    MEMBER_UNSAID = "FD506", "nobody says which member the daemon of this machine is"
    TEST_OF_NOBODY = "FD601", "a test or a scenario names a policy, region, endpoint or provider that is not there"
    TEST_CANNOT_FAIL = "FD602", "a test cannot fail, or a part of it cannot"
    TEST_TWICE = "FD603", "two tests of one policy have one name"
    SCENARIO_TOO_LARGE = "FD604", "a scenario would take more probes than are played"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong, at one place.

    Attributes:
        file: the file as it was named to us.
        line: counted from 1; 0 when the whole file is meant (it cannot be read).
        column: in characters, counted from 1; 0 like `line`.
        message: what is wrong, in one sentence without a full stop.
        excerpt: the line as it stands in the file, printable, shortened, with secrets masked; may be empty.
        hint: what to do, in one line; may be empty.
    """

    code: Code
    severity: Severity
    file: str
    line: int
    column: int
    message: str
    excerpt: str = ""
    hint: str = ""

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """Sorts by place, so that a person can go through the file once from top to bottom."""
        return (self.file, self.line, self.column, self.code.value, self.message)

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def refusal(self, file: str) -> RefusedFile:
        """Why `file` is not taken up."""
        place, error = (
            escaped(both_ways(each)) for each in (self.place, f"{self.severity} {self.code}: {self.message}")
        )
        return RefusedFile(file, error, place)

    def __str__(self) -> str:
        return str(self.refusal(self.file))

    def render(self) -> str:
        """The sentence, the line of the file with a caret below the place, and the hint.

        Each of them is one line, whatever is in the file or in its name: no line of a CI log begins with words of
        others.
        """
        lines = [str(self)]
        if self.excerpt:
            number = f"{self.line:5d}"
            lines.append(f"{number} | {self.excerpt}")
            if self.column <= len(self.excerpt) + 1:
                lines.append(f"{' ' * len(number)} | {' ' * (self.column - 1)}^")
        if self.hint:
            lines.append(f"      = {escaped(both_ways(self.hint))}")
        return "\n".join(lines)

    def withheld(self) -> Self:
        """The same without a word of the file, for who may not read it."""
        hint = "a link leads there, out of the folder, so nothing of it is shown: check the file in its own place"
        return replace(self, message=self.code.meaning, excerpt="", hint=hint)

    def plain(self) -> dict[str, str | int]:
        """For `--output json`."""
        return {
            "code": self.code.value,
            "meaning": self.code.meaning,
            "severity": self.severity.value,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "excerpt": self.excerpt,
            "hint": self.hint,
        }


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """By place, each one once, and of each file at most so many that a person can still make use of them."""
    found: dict[str, list[Diagnostic]] = {}
    for each in sorted(set(diagnostics), key=lambda diagnostic: diagnostic.order):
        found.setdefault(each.file, []).append(each)
    return tuple(chain.from_iterable(map(_bounded, found.values())))


def _bounded(of_file: list[Diagnostic]) -> list[Diagnostic]:
    """Errors first, where there are too many. What says so is an error if one is left out."""
    if len(of_file) <= MOST_PROBLEMS + 1:  # which may be the word of `tree` that there may be more
        return of_file
    errors = [each for each in of_file if each.is_error]
    kept = set([*errors, *(each for each in of_file if not each.is_error)][:MOST_PROBLEMS])
    severity = Severity.ERROR if len(errors) > MOST_PROBLEMS else Severity.WARNING
    first = next(each for each in of_file if each not in kept)
    text = f"{len(of_file) - MOST_PROBLEMS} more problems, from here on, are not shown"
    more = Diagnostic(Code.MORE, severity, first.file, first.line, first.column, text)
    return [more if each is first else each for each in of_file if each in kept or each is first]


def about_file(code: Code, file: str, message: str, hint: str = "") -> Diagnostic:
    """A diagnostic that is about a file as a whole."""
    return Diagnostic(code, Severity.ERROR, file, 0, 0, message, hint=hint)


def shown(text: object) -> str:
    """A value of somebody else's as it may stand in a message: quoted, printable, short."""
    return f'"{printable(str(text), _MAX_SHOWN)}"'


def printable(text: str, limit: int) -> str:
    """`text` with a width of one for each character and nothing that could steer a terminal."""
    clipped = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(character if character.isprintable() else " " for character in clipped)


def excerpt_of(line: str) -> str:
    """A line of a file as it may be shown: what looks like a secret is masked.

    Secrets do not belong in these files, so the line that is wrong may well be wrong because it holds one.
    """
    masked = _SECRET_VALUE.sub(rf"\g<1>{MASK}", _SECRET_ITSELF.sub(MASK, line))
    return printable(_KEY_MATERIAL.sub(MASK, masked), _MAX_EXCERPT).rstrip()


def holds_secret(key: str, value: str) -> bool:
    """Whether a value looks like a secret: by the name of its key, or by itself."""
    named = _SECRET_KEY.search(key) is not None and value.strip() != ""
    return named or _SECRET_ITSELF.search(value) is not None


def nearest(wrong: str, known: Collection[str]) -> str | None:
    """The known word that `wrong` was probably meant to be."""
    close = get_close_matches(wrong.lower(), known, n=1) if len(wrong) <= _MAX_SHOWN else []
    return close[0] if close else None


def suggestion(wrong: str, known: Sequence[str]) -> str:
    """`did you mean "weight"?`, or what there is to choose from when nothing is close; empty when there is nothing."""
    close = nearest(wrong, known)
    if close is not None:
        return f'did you mean "{close}"?'
    if not known:
        return ""
    more = ", ..." if len(known) > _MAX_KNOWN else ""
    return f"known here: {', '.join(known[:_MAX_KNOWN])}{more}"
