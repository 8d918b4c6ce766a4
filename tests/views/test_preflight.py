"""The report of the checks as lines, cells and document: nothing lost, nothing wider than the room."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dydx_console.domain.preflight import CheckResult, Report, Verdict
from dydx_console.domain.text import clean
from dydx_console.views.documents import NetworkSection, PreflightDocument
from dydx_console.views.preflight import preflight_document, report_cells, report_lines, result_cells, summary_cells
from dydx_console.views.table import Ink, line_width

KEYS = ("key", "key encrypted", "key permissions")
CHECKS = (
    CheckResult("environment", Verdict.OK, "development, from DYDX_CONSOLE_ENVIRONMENT", 0.2),
    CheckResult("policy", Verdict.WARN, "no faucet", 0.0, "be sure"),
    CheckResult("indexer", Verdict.OK, "https://indexer.example  #61,004,112", 212.4),
    CheckResult(
        "node",
        Verdict.FAIL,
        "reports dydx-mainnet-1, configured dydx-testnet-4",
        1_180.0,
        "set [networks.testnet].nodes to a testnet node; nothing was signed",
        78,
    ),
    *(CheckResult(name, Verdict.SKIP, "no key store yet", 0.0) for name in KEYS),
)
REPORT = Report(CHECKS, 612.0, 78)
NETWORK = NetworkSection(
    name="testnet",
    chain_id="dydx-testnet-4",
    environment="development",
    environment_from="default",
    confirmed=True,
    read_only=True,
    warnings=(),
)


def test_a_report_reads_as_columns_with_what_to_do_below() -> None:
    assert report_lines(REPORT, 100) == (
        " ok    environment      development, from DYDX_CONSOLE_ENVIRONMENT" + "0 ms".rjust(34),
        " warn  policy           no faucet" + "0 ms".rjust(67),
        "       → be sure",
        " ok    indexer          https://indexer.example  #61,004,112" + "212 ms".rjust(40),
        " FAIL  node             reports dydx-mainnet-1, configured dydx-testnet-4" + "1,180 ms".rjust(27),
        "       → set [networks.testnet].nodes to a testnet node; nothing was signed",
        " skip  …                key, key encrypted, key permissions: no key store yet",
        " refused: configuration (node)" + "exit 78, 0.6 s".rjust(70),
    )


def test_verbose_gives_each_check_its_line() -> None:
    assert [line[7:24].rstrip() for line in report_lines(REPORT, verbose=True) if line.startswith(" skip")] == list(
        KEYS
    )


def test_verdicts_differ_by_word_and_by_ink() -> None:
    inks = {line[0].ink for line in report_cells(REPORT) if len(line) > 2}
    assert {Ink.GOOD, Ink.WARN, Ink.BAD, Ink.DIM} == inks


@pytest.mark.parametrize(
    ("report", "words", "ink"),
    [
        (Report((CHECKS[0],), 80.0, 0), "all is well", Ink.GOOD),
        (Report(CHECKS[:2], 80.0, 0), "usable, with 1 warning", Ink.WARN),
        (Report((CHECKS[1], CHECKS[1]), 80.0, 0), "usable, with 2 warnings", Ink.WARN),
        (REPORT, "refused: configuration (node)", Ink.BAD),
        (Report((CheckResult("x", Verdict.FAIL, "", 0, "", 77),), 1.0, 77), "refused: policy (x)", Ink.BAD),
        (Report((CheckResult("x", Verdict.FAIL, "", 0, "", 69),), 1.0, 69), "failed: network (x)", Ink.BAD),
        (Report((CheckResult("x", Verdict.FAIL, "", 0, "", 75),), 1.0, 75), "try again (x)", Ink.BAD),
        (Report((CheckResult("x", Verdict.FAIL, "", 0, "", 1),), 1.0, 1), "failed (x)", Ink.BAD),
    ],
)
def test_the_summary_says_what_failed_and_the_exit_code(report: Report, words: str, ink: Ink) -> None:
    said, end = summary_cells(report)
    assert words in said.text
    assert said.ink is ink
    assert end.text == f"exit {report.exit_code}, {report.took_ms / 1_000:.1f} s"


TEXT = st.text(max_size=300).map(clean)
RESULTS = st.builds(
    CheckResult,
    name=st.sampled_from(["node", "key permissions"]),
    verdict=st.sampled_from(Verdict),
    text=TEXT,
    took_ms=st.floats(0, 99_999),
    remedy=st.none() | TEXT,
)


@given(RESULTS, st.integers(60, 200))
def test_no_line_is_wider_than_the_room_and_no_word_is_lost(result: CheckResult, width: int) -> None:
    lines = result_cells(result, width)
    assert all(line_width(line) <= width for line in lines)
    shown = "".join(line[2].text for line in lines if len(line) > 2)
    assert shown.replace(" ", "") == result.text.replace(" ", "")
    advice = "".join(line[0].text for line in lines if len(line) == 1).replace("→", "", 1)
    assert advice.replace(" ", "") == (result.remedy or "").replace(" ", "")


def test_the_document_has_every_check_with_upper_case_verdicts() -> None:
    document = preflight_document(REPORT, NETWORK)
    dumped = json.loads(document.model_dump_json())
    assert PreflightDocument.model_validate(dumped) == document
    assert (dumped["schema_version"], dumped["exit_code"], dumped["took_ms"]) == (1, 78, 612.0)
    assert [check["verdict"] for check in dumped["checks"]] == ["OK", "WARN", "OK", "FAIL", "SKIP", "SKIP", "SKIP"]
    assert dumped["checks"][3] == {
        "name": "node",
        "verdict": "FAIL",
        "text": "reports dydx-mainnet-1, configured dydx-testnet-4",
        "remedy": "set [networks.testnet].nodes to a testnet node; nothing was signed",
        "took_ms": 1_180.0,
    }
    assert dumped["network"]["chain_id"] == "dydx-testnet-4"
    assert json.loads(preflight_document(REPORT, None).model_dump_json())["network"] is None
