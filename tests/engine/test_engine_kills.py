"""The proof by kill works, a little of it: .ci/nightly runs all of it."""

from tests.engine.kills import Outcome, killed


def test_engines_that_are_killed_in_bursts_lose_nothing_and_double_nothing() -> None:
    told: list[Outcome] = []
    (outcome,) = killed(2, fills=400, burst=200, seed=2, told=told.append)
    assert told == [outcome]
    assert (outcome.kills, outcome.fills) == (2, 400)
    assert (outcome.lost, outcome.doubled, outcome.wrong, outcome.broken) == (0, 0, 0, [])
    assert outcome.own_s
