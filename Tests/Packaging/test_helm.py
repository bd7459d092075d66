"""The chart, rendered by Go's template engine (Helm's own) and judged as the plain manifests are.

What is not proven here: Helm's own loading and installing, as no Helm binary can be had from the distribution or PyPI.
"""

import copy
import json
import pathlib

import jsonschema
import kubernetes_validate
import pytest
import yaml

from checkout import CONFIG, run
from pods import CUSTOM, faults, pod_spec

CHART = CONFIG / "helm/lockstep"
PAIR = {"source": {"location": "s3://models-a"}, "target": {"location": "gs://models-b"}}
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def merged(base, changes):
    """As Helm merges values: maps by key, everything else is replaced."""
    if not (isinstance(base, dict) and isinstance(changes, dict)):
        return copy.deepcopy(changes)
    return {**base, **{key: merged(base.get(key), value) for key, value in changes.items()}}


def values(changes):
    return merged(yaml.safe_load((CHART / "values.yaml").read_text()), changes)


ZONES = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]}
CASES = {
    "example": yaml.safe_load((CHART / "example.values.yaml").read_text()),
    "daemon": {"config": {"pairs": {"models": PAIR}}},
    "everything": {
        "config": {"pairs": {"models": PAIR}},
        "image": {"tag": "1.2.3"},
        "imagePullSecrets": [{"name": "registry"}],
        "env": [{"name": "AWS_REGION", "value": "eu-central-1"}],
        "podLabels": {"azure.workload.identity/use": "true"},
        "podAnnotations": {"example.org/team": "ml"},
        "serviceAccount": {"annotations": {"iam.gke.io/gcp-service-account": "a@b.iam.gserviceaccount.com"}},
        "persistence": {"storageClass": "fast", "size": "100Gi"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [ZONES]}}
        },
        "networkPolicy": {"enabled": True},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    },
    "cronjob": {"config": {"pairs": {"models": PAIR}}, "mode": "cronjob"},
    "cronjob-without-checks": {
        "config": {"pairs": {"models": PAIR}},
        "mode": "cronjob",
        "checks": {"enabled": False},
        "persistence": {"enabled": False},
        "serviceAccount": {"create": False, "name": "other"},
    },
}


@pytest.fixture(scope="session")
def renderer(tmp_path_factory):
    directory = tmp_path_factory.mktemp("renderer")
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(directory), "GO111MODULE": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"
    }
    source = pathlib.Path(__file__).with_name("render_chart.go")
    run("go", "build", "-o", directory / "render", source, env=environment)
    return directory / "render"


def render(renderer, changes, expect=0):
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    request = {
        "templates": {path.name: path.read_text() for path in (CHART / "templates").iterdir()},
        "files": {"files/lockstep.rules.yaml": (CHART / "files/lockstep.rules.yaml").read_text()},
        "values": values(changes),
        "chart": {key[0].upper() + key[1:]: value for key, value in chart.items()},
        "release": {"Name": "replica", "Namespace": "ml", "Service": "Helm"},
    }
    result = run(renderer, input=json.dumps(request), expect=expect)
    return json.loads(result.stdout) if expect == 0 else result.stderr


def objects(rendered):
    texts = [text for name, text in rendered.items() if name.endswith(".yaml")]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def one(documents, kind):
    found = [document for document in documents if document["kind"] == kind]
    assert len(found) == 1, (kind, found)
    return found[0]


@pytest.mark.parametrize("case", CASES)
def test_rendered_manifests_fit_schemas_and_pod_security(renderer, case):
    jsonschema.Draft7Validator(SCHEMA).validate(values(CASES[case]))
    documents = objects(render(renderer, CASES[case]))
    for document in documents:
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
        if pod_spec(document):
            assert faults(pod_spec(document)) == [], document["kind"]
        assert document["metadata"]["labels"]["app.kubernetes.io/instance"] == "replica"
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(names) == len(set(names))


def test_modes_make_what_they_say(renderer):
    def kinds(case):
        return sorted(document["kind"] for document in objects(render(renderer, CASES[case])))

    assert kinds("daemon") == ["ConfigMap", "Deployment", "PersistentVolumeClaim", "Service", "ServiceAccount"]
    assert kinds("cronjob") == ["ConfigMap", "CronJob", "CronJob", "PersistentVolumeClaim", "ServiceAccount"]
    assert kinds("cronjob-without-checks") == ["ConfigMap", "CronJob"]
    assert kinds("everything") == [
        "ConfigMap", "Deployment", "NetworkPolicy", "PersistentVolumeClaim", "PrometheusRule", "Service", "ServiceAccount",
        "ServiceMonitor",
    ]


def test_values_arrive(renderer):
    documents = objects(render(renderer, CASES["everything"]))
    pod = pod_spec(one(documents, "Deployment"))
    container = pod["containers"][0]
    assert container["image"] == "registry.example.org/lockstep:1.2.3"
    assert {"name": "AWS_REGION", "value": "eu-central-1"} in container["env"]
    assert pod["nodeSelector"] == {"kubernetes.io/arch": "amd64"} and pod["tolerations"] and pod["imagePullSecrets"]
    assert pod["affinity"] == CASES["everything"]["affinity"]
    template = one(documents, "Deployment")["spec"]["template"]
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert template["metadata"]["annotations"]["example.org/team"] == "ml"
    tokens = next(volume for volume in pod["volumes"] if volume["name"] == "tokens")["projected"]["sources"]
    assert {token["serviceAccountToken"]["path"] for token in tokens} == {"aws", "azure", "google"}
    claim = one(documents, "PersistentVolumeClaim")["spec"]
    assert claim["storageClassName"] == "fast" and claim["resources"]["requests"]["storage"] == "100Gi"
    assert one(documents, "ServiceAccount")["metadata"]["annotations"] == CASES["everything"]["serviceAccount"]["annotations"]
    assert one(documents, "ServiceMonitor")["metadata"]["labels"]["release"] == "prometheus"
    other = pod_spec(one(objects(render(renderer, CASES["cronjob-without-checks"])), "CronJob"))
    assert other["serviceAccountName"] == "other"
    assert "emptyDir" in next(volume for volume in other["volumes"] if volume["name"] == "state")


def test_the_configuration_and_the_rules_arrive_whole(renderer):
    documents = objects(render(renderer, CASES["everything"]))
    configuration = yaml.safe_load(one(documents, "ConfigMap")["data"]["lockstep.yaml"])
    assert configuration == values(CASES["everything"])["config"]
    rules = yaml.safe_load((CONFIG / "prometheus/lockstep.rules.yaml").read_text())
    assert one(documents, "PrometheusRule")["spec"] == rules


def test_selectors_meet_labels(renderer):
    documents = objects(render(renderer, CASES["everything"]))
    deployment = one(documents, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    service = one(documents, "Service")
    assert deployment["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    monitor = one(documents, "ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert one(documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_a_changed_configuration_starts_the_pods_anew(renderer):
    def checksum(changes):
        template = one(objects(render(renderer, changes)), "Deployment")["spec"]["template"]
        return template["metadata"]["annotations"]["checksum/configuration"]

    other = {"config": {"pairs": {"models": {**PAIR, "delta": True}}}}
    assert checksum(CASES["daemon"]) == checksum(CASES["daemon"]) != checksum(other)


def test_a_chart_without_pairs_is_refused(renderer):
    assert "config.pairs" in render(renderer, {}, expect=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "deamon"},
        {"image": {"pullPolicy": "Sometimes"}},
        {"persistence": {"size": "big"}},
        {"unknown": 1},
        {"runs": {"schedule": "* * *"}},
        {"config": {"state": "/tmp"}},
        {"config": {"serve": {"listen": "127.0.0.1:80"}}},
        {"terminationGracePeriodSeconds": 1},
    ],
    ids=json.dumps,
)
def test_the_schema_names_wrong_values(changes):
    assert list(jsonschema.Draft7Validator(SCHEMA).iter_errors(values(changes)))


def test_the_schema_is_one_and_the_defaults_fit_it():
    run("check-jsonschema", "--check-metaschema", CHART / "values.schema.json")
    run("check-jsonschema", "--schemafile", CHART / "values.schema.json", CHART / "values.yaml")


def test_the_notes_name_what_was_made(renderer):
    assert "service/replica 9464" in render(renderer, CASES["daemon"])["NOTES.txt"]
    assert "cronjob/replica-run" in render(renderer, CASES["cronjob"])["NOTES.txt"]
