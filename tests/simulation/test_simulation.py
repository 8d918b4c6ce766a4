"""Our protocol, supervisor and reducers against the simulated venue under seeded faults, without a socket.

Fifty seeds here, ten thousand at night (`python -m tests.simulation.run`). In each, faults come and go for a while as
the account trades on, and what was shown is held against what the venue knows: throughout, and whole at the end.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dydx_console.domain import events as ev
from tests.simulation.run import Total, replay_command, report
from tests.simulation.world import Chances, Outcome, World, simulated
from tests.virtual_time import run_virtually

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(50))
def test_a_seed_ends_in_the_truth_and_shows_nothing_false_on_the_way(seed: int) -> None:
    outcome = simulated(seed)
    assert outcome.complaints == [], replay_command(seed)


def test_a_seed_is_the_same_run_everywhere() -> None:
    def digests(hash_seed: str) -> list[str]:
        command = [sys.executable, "-m", "tests.simulation.run", "--seeds", "3", "--processes", "1", "--story"]
        run = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return [line for line in run.stdout.splitlines() if "digest" in line]

    found = digests("1")
    assert len(set(found)) == 3
    assert digests("2") == found


class Forgetful(World):
    """A client that books no fill."""

    def take(self, event: ev.Event) -> None:
        """Apply an event, but for fills."""
        if isinstance(event, ev.Frame):
            facts = (replace(fact, fills=()) if isinstance(fact, ev.AccountUpdate) else fact for fact in event.facts)
            super().take(replace(event, facts=tuple(facts)))
        elif not isinstance(event, ev.FillsRead):
            super().take(event)


class Boastful(World):
    """A client that calls its picture live whatever its age."""

    def take(self, event: ev.Event) -> None:
        """Apply an event; blocks are said to be of now."""
        if isinstance(event, ev.HeightRead | ev.TimeRead):
            return
        super().take(event)
        self.state.freshness.block(self.state.freshness.newest_connection, 1, self.clock.utc(), self.now)


@pytest.mark.parametrize(("client", "said"), [(Forgetful, "fills"), (Boastful, "called live at an age")])
def test_a_client_that_is_wrong_is_found_out(client: type[World], said: str) -> None:
    async def main(seed: int) -> Outcome:
        return await client(Chances.of(seed)).run()

    complaints = [text for seed in range(3) for text in run_virtually(main(seed)).complaints]
    assert any(said in text for text in complaints)


def test_a_failed_seed_is_told_with_the_command_that_shows_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    total, failed = Total(), Outcome(7, ["fills: one too many"], story=["   1.000 told: GAP"])
    total.add(failed)
    total.add(Outcome(8))
    report(failed, story=False)
    printed = capsys.readouterr().out
    assert total.failed == [7]
    assert "python -m tests.simulation.run --from 7 --seeds 1 --story" in printed
    assert "fills: one too many" in printed
    assert "GAP" not in printed
