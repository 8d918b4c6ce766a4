"""The fuzz target runs for a few seconds, or for as long as it is told to."""

import pytest

FUZZ_S = 3.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-seconds", type=float, default=FUZZ_S, help="how long the fuzz target runs")


@pytest.fixture
def fuzz_seconds(request: pytest.FixtureRequest) -> float:
    """How long to fuzz: `pytest tests/faults --fuzz-seconds 600` for longer."""
    seconds = request.config.getoption("--fuzz-seconds", default=FUZZ_S)
    return float(seconds)
