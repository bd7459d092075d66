"""The dashboard: what can be known of it without Grafana."""

import json
import re

import yaml

from checkout import CONFIG, run
from metrics import FOREIGN, OWN, RECORDED, names

DASHBOARD = json.loads((CONFIG / "grafana/lockstep.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries():
    found = [target["expr"] for panel in PANELS for target in panel["targets"]]
    return found + [entry["expr"] for entry in DASHBOARD["annotations"]["list"] if "expr" in entry]


def test_every_query_is_promql(tmp_path):
    """As rules, with the variables as Grafana would fill them in."""
    rules = []
    for number, query in enumerate(queries()):
        filled = re.sub(r"\$__rate_interval|\$__interval", "5m", query)
        filled = re.sub(r"\$(job|pair)\b", ".*", filled)
        assert "$" not in filled, query
        rules.append({"record": f"query:{number}", "expr": filled})
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run("promtool", "check", "rules", tmp_path / "rules.yaml")


def test_queries_use_metrics_that_exist_and_all_of_ours_are_shown():
    used = set().union(*map(names, queries()))
    assert used <= OWN | RECORDED | FOREIGN, used - OWN
    # In a textfile the lag is that of the moment of writing; time minus the recovery point is the same, and right in both.
    assert OWN - {"lockstep_pair_replication_lag_seconds"} == used & OWN, OWN - used


def test_variables():
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert set(variables) == {"datasource", "job", "pair"} and variables["datasource"]["query"] == "prometheus"
    for name in ("job", "pair"):
        metric = re.match(r"label_values\((\w+)", variables[name]["query"]["query"])[1]
        assert metric in OWN
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


def test_panels_neither_overlap_nor_share_a_number():
    taken = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    assert all(panel["title"] for panel in DASHBOARD["panels"])
