"""What families of metrics are as text: what Prometheus' own reader makes of it is what was put in."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from failoverd.core.tallies import Histogram
from failoverd.telemetry.exposition import MetricFamily

ODD = 'a "b"\\n\nc'


def read(family: MetricFamily) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    (found,) = text_string_to_metric_families(str(family))
    return {(sample.name, tuple(sample.labels.items())): sample.value for sample in found.samples}


def test_a_gauge_is_read_back_as_it_was_said_whatever_its_labels_hold() -> None:
    gauge = MetricFamily("gauge", "share", "How much.\nOf what\\", ("policy", "region"))
    gauge.add((ODD, "oci"), 0.25)
    gauge.add(("shop", "oci"), True)
    assert read(gauge) == {
        ("share", (("policy", ODD), ("region", "oci"))): 0.25,
        ("share", (("policy", "shop"), ("region", "oci"))): 1.0,
    }


def test_a_counter_ends_in_total() -> None:
    counter = MetricFamily("counter", "probes", "How many.")
    counter.add((), 12_345_678)
    assert read(counter) == {("probes_total", ()): 12_345_678.0}


def test_what_has_no_sample_is_named_all_the_same() -> None:
    assert str(MetricFamily("gauge", "held", "On a bad day.", ("policy",))) == (
        "# HELP held On a bad day.\n# TYPE held gauge\n"
    )


@pytest.mark.parametrize("labels", [(), ("check",)])
def test_a_histogram_has_its_buckets_and_what_they_add_up_to(labels: tuple[str, ...]) -> None:
    family = MetricFamily("histogram", "seconds", "How long.", labels)
    family.observe(("live",) * len(labels), Histogram((0.5, 1.0), (3, 0, 4), total=9.5))
    said = tuple((name, "live") for name in labels)
    assert read(family) == {
        ("seconds_bucket", (*said, ("le", "0.5"))): 3.0,
        ("seconds_bucket", (*said, ("le", "1.0"))): 3.0,
        ("seconds_bucket", (*said, ("le", "+Inf"))): 7.0,
        ("seconds_count", said): 7.0,
        ("seconds_sum", said): 9.5,
    }
