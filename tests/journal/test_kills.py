"""A process that is killed while it writes loses nothing that it had said to be committed."""

from pathlib import Path

from tests.journal.kills import killed


def test_a_few_kills_in_a_burst(tmp_path: Path) -> None:
    outcome = killed(count=6, fills=4_000, seed=7, root=tmp_path)
    assert outcome.kills == 6
    assert outcome.is_clean, outcome
    assert outcome.slowest_open_s < 15
