"""Runs the joined world for many seeds and tells which fail, and how each is seen again.

usage: python -m tests.simulation.run [--seeds 10000] [--from 0] [--processes 2] [--story]
"""

import argparse
import multiprocessing
import sys
import time
from dataclasses import dataclass, field

from tests.simulation.world import Outcome, simulated


@dataclass
class Total:
    """What all runs have shown."""

    runs: int = 0
    failed: list[int] = field(default_factory=list)
    virtual_s: float = 0.0
    worst: dict[str, float] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Add a run."""
        self.runs += 1
        self.virtual_s += outcome.length_s
        if outcome.complaints:
            self.failed.append(outcome.seed)
        for name, value in outcome.figures().items():
            self.worst[name] = max(self.worst.get(name, 0.0), value)


def replay_command(seed: int) -> str:
    """Return the command that shows a seed's run again."""
    return f"python -m tests.simulation.run --from {seed} --seeds 1 --story"


def report(outcome: Outcome, *, story: bool) -> None:
    """Print a run that failed, or any that is asked for."""
    if story:
        print(*outcome.story, sep="\n")
        print(f"seed {outcome.seed}: digest {outcome.digest}", *sorted(outcome.figures().items()))
    if outcome.complaints:
        print(f"seed {outcome.seed} FAILED; again with: {replay_command(outcome.seed)}")
        for complaint in outcome.complaints:
            print(f"  {complaint[:500]}")
    sys.stdout.flush()


def main() -> int:
    """Run; returns 1 where a seed failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--story", action="store_true", help="print all that happened")
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    total, began = Total(), time.monotonic()
    with multiprocessing.get_context("spawn").Pool(min(asked.processes, len(seeds))) as pool:
        for outcome in pool.imap_unordered(simulated, seeds):
            total.add(outcome)
            report(outcome, story=asked.story)
    took_s = time.monotonic() - began
    print(
        f"{total.runs} runs, {total.virtual_s / 3600:.1f} virtual hours in {took_s:.0f} s ({total.runs / took_s:.1f}/s)"
    )
    print("the worst of all:", ", ".join(f"{name} {value:.1f}" for name, value in sorted(total.worst.items())))
    print(f"{len(total.failed)} failed: {sorted(total.failed)}" if total.failed else "none failed")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
