from __future__ import annotations

from typing import Any

from thinslice.report.summary import latest_first, summarise


def test_the_latest_experiment_speaks_even_when_an_earlier_one_was_better(
    findings: dict[str, Any],
) -> None:
    helps, harms = findings["readouts"][2], findings["readouts"][0]
    harms["period"]["start_us"] = helps["period"]["start_us"] + 1
    assert summarise(findings).verdict == "stop"


def test_a_later_experiment_with_something_else_does_not_answer_for_the_running_visit(
    findings: dict[str, Any],
) -> None:
    later = findings["readouts"][0]
    later["period"]["start_us"] = findings["readouts"][2]["period"]["start_us"] + 1
    later["variants"][1]["policy"] = "list:clearance"
    summary = summarise(findings)
    assert summary.speaks is findings["readouts"][2]
    assert later in summary.others


def test_an_experiment_of_a_list_against_itself_never_speaks(findings: dict[str, Any]) -> None:
    for variant in findings["readouts"][2]["variants"]:
        variant["policy"] = "popular"
    assert summarise(findings).speaks is findings["readouts"][1]


def test_an_experiment_without_verdict_leaves_the_word_to_the_offline_comparison(
    findings: dict[str, Any],
) -> None:
    for readout in findings["readouts"]:
        readout["judgement"]["verdict"] = None
    summary = summarise(findings)
    assert summary.verdict == findings["offline"]["verdict"] == "worth testing"
    assert summary.speaks is None


def test_with_nothing_found_the_next_step_is_the_first_that_is_missing(
    findings: dict[str, Any],
) -> None:
    findings.update(audit={"events": 1}, plan=None, evaluation=None, offline=None, readouts=[])
    assert summarise(findings).next_command == "thinslice plan"
    assert summarise(findings).verdict == ""


def test_equal_starts_keep_their_order() -> None:
    same = [{"id": name, "period": {"start_us": 5}} for name in "abc"]
    assert [r["id"] for r in latest_first(same)] == ["a", "b", "c"]
