"""The alert rules, by Prometheus's own tool: each fires when it should, and only then."""

import re

import pytest
import yaml

from checkout import CONFIG, ROOT, run
from metrics import FOREIGN, OWN, RECORDED, names

RULES = CONFIG / "prometheus/lockstep.rules.yaml"
TESTS = CONFIG / "prometheus/lockstep.rules.test.yaml"


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


ALERTS = [rule["alert"] for rule in rules() if "alert" in rule]


def test_rules_and_scrape_configuration_are_accepted(tmp_path):
    run("promtool", "check", "rules", RULES)
    scrape = (CONFIG / "prometheus/scrape.example.yaml").read_text()
    assert "/etc/prometheus/lockstep.rules.yaml" in scrape
    (tmp_path / "prometheus.yml").write_text(scrape.replace("/etc/prometheus/lockstep.rules.yaml", str(RULES)))
    run("promtool", "check", "config", tmp_path / "prometheus.yml")


def test_every_alert_fires_and_stays_quiet():
    run("promtool", "test", "rules", TESTS.name, cwd=TESTS.parent)
    cases = [case for test in yaml.safe_load(TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    assert len(ALERTS) == len(set(ALERTS))
    for alert in ALERTS:
        verdicts = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert}
        assert verdicts == {True, False}, alert


@pytest.mark.parametrize("alert", ALERTS)
@pytest.mark.parametrize("expression", ["vector(0) > 1", "vector(1)"], ids=["never", "always"])
def test_the_tests_notice_an_alert_that_never_or_always_fires(alert, expression, tmp_path):
    """Never: by the cases that expect it. Always: by those that expect nothing."""
    document = yaml.safe_load(RULES.read_text())
    for group in document["groups"]:
        group["rules"] = [
            {**rule, "expr": expression, "for": "0m"} for rule in group["rules"] if rule.get("alert") == alert
        ]
    document["groups"] = [group for group in document["groups"] if group["rules"]]
    (tmp_path / RULES.name).write_text(yaml.safe_dump(document))
    tests = yaml.safe_load(TESTS.read_text())
    expected = "> 1" in expression
    tests["tests"] = [
        test
        for test in tests["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == alert and bool(case["exp_alerts"]) == expected
    ]
    (tmp_path / TESTS.name).write_text(yaml.safe_dump(tests))
    said = run("promtool", "test", "rules", TESTS.name, cwd=tmp_path, expect=1)
    failed = (said.stdout + said.stderr).count("alertname:")
    assert failed == len(tests["tests"]) > 0


def test_alerts_tell_how_bad_it_is_and_what_to_do():
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
            assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]


def test_the_names_are_those_that_the_program_exports():
    sources = "".join(path.read_text() for path in (ROOT / "Sources/Operations").rglob("*.swift"))
    exported = set(re.findall(r'"((?:lockstep|process)_[a-z_]+[a-z])"', sources))
    assert exported == {re.sub("_(bucket|sum|count)$", "", name) if "duration_seconds_" in name else name for name in OWN}


def test_rules_use_metrics_that_exist():
    used = set().union(*(names(rule["expr"]) for rule in rules()))
    assert used <= OWN | FOREIGN | RECORDED, used - (OWN | FOREIGN | RECORDED)
    # The tests' input uses no name that nothing exports: a rule must not be proven by an invented series.
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for series in test["input_series"]:
            assert series["series"].split("{")[0] in OWN | FOREIGN | RECORDED, series
