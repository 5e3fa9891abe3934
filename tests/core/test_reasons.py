from failoverd.core.reasons import TRAITS, ReasonCode


def test_every_reason_has_its_place_among_those_that_people_want_to_know() -> None:
    assert TRAITS.keys() == set(ReasonCode)
