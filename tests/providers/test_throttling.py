"""Whatever a cloud asks for, and however its requests end: who waits for how long."""

from hypothesis import given, settings
from hypothesis import strategies as st

from failoverd.ports import Haste, Urgency
from failoverd.providers.shared.throttling import FIRST_TRIAL, LONGEST_SILENCE, LONGEST_TRIAL, Throttle

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "send", "take", "lose"]),
        st.floats(0.0, 900.0),  # how much later
        st.floats(0.0, 10_000.0),  # for how long
    ),
    max_size=40,
)


@settings(deadline=None)
@given(STEPS)
def test_the_urgent_never_wait_longer_than_a_trial_apart_and_nobody_before_them(
    steps: list[tuple[str, float, float]],
) -> None:
    throttle, now = Throttle(), 0.0
    for step, later, seconds in steps:
        now += later
        if step == "ask":
            throttle.ask(seconds, now)
        elif step == "send":
            throttle.send(now)
        elif step == "take":
            throttle.take(now)
        else:
            throttle.lose()
        fail_out, change, routine = (throttle.wait(Urgency(haste), now) for haste in Haste)
        assert 0.0 <= fail_out <= change <= routine <= LONGEST_SILENCE + 1e-6
        assert fail_out <= LONGEST_TRIAL + 1e-6


@settings(deadline=None)
@given(st.floats(1.0, LONGEST_SILENCE), st.floats(0.1, 0.5))
def test_a_long_silence_is_tried_a_few_times_a_minute(silence: float, poll: float) -> None:
    throttle, now, trials = Throttle(), 0.0, 0
    throttle.ask(silence, now)
    while now < 60.0 and throttle.wait(Urgency.ROUTINE, now):
        if not throttle.wait(Urgency.FAIL_OUT, now):
            throttle.send(now)
            throttle.ask(silence, now)
            trials += 1
        now += poll
    assert trials <= 2 + 60.0 / LONGEST_TRIAL
    assert trials or silence <= FIRST_TRIAL + poll
