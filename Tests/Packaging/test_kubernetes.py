"""The manifests, by the schemas of Kubernetes and by the rules of restricted pod security."""

import copy

import kubernetes_validate
import pytest
import yaml

from checkout import CONFIG
from pods import CUSTOM, documents, faults, pod_spec

FOLDER = CONFIG / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
DOCUMENTS = [(path.name, document) for path in FILES for document in documents(path)]
PODS = [(f"{name}:{document['metadata']['name']}", pod_spec(document)) for name, document in DOCUMENTS if pod_spec(document)]


def named(kind, name="lockstep"):
    return next(document for _, document in DOCUMENTS if document["kind"] == kind and document["metadata"]["name"] == name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_manifests_fit_the_schemas(path):
    for document in documents(path):
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_schemas_would_name_an_unknown_field():
    wrong = copy.deepcopy(named("Deployment"))
    wrong["spec"]["template"]["spec"]["containers"][0]["livenessProbes"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("name, spec", PODS, ids=[name for name, _ in PODS])
def test_pods_are_restricted(name, spec):
    assert faults(spec) == []


@pytest.mark.parametrize(
    "change, fault",
    [
        (lambda spec: spec["securityContext"].pop("seccompProfile"), "seccompProfile"),
        (lambda spec: spec["securityContext"].update(runAsUser=0), "runAsUser"),
        (lambda spec: spec["containers"][0]["securityContext"]["capabilities"].update(drop=["NET_RAW"]), "capabilities.drop"),
        (lambda spec: spec["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"), "allowPrivilegeEscalation"),
        (lambda spec: spec["volumes"].append({"name": "host", "hostPath": {"path": "/"}}), "volume host"),
        (lambda spec: spec.update(hostNetwork=True), "hostNetwork"),
    ],
)
def test_the_rules_name_what_breaks_them(change, fault):
    spec = copy.deepcopy(PODS[0][1])
    change(spec)
    assert fault in faults(spec)


def test_pods_mount_what_they_have_and_use_what_exists():
    configurations = {document["metadata"]["name"] for _, document in DOCUMENTS if document["kind"] == "ConfigMap"}
    for name, spec in PODS:
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        mounts = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
        assert mounts == set(volumes), name
        assert volumes["config"]["configMap"]["name"] in configurations
        assert spec["serviceAccountName"] == named("ServiceAccount")["metadata"]["name"]
        # A drain takes 25 seconds at most.
        assert spec["terminationGracePeriodSeconds"] > 30
        claim = volumes["state"].get("persistentVolumeClaim")
        assert claim is None or claim["claimName"] == named("PersistentVolumeClaim", "lockstep-state")["metadata"]["name"]


def test_probes_service_and_monitor_meet_the_port_of_the_configuration():
    container = pod_spec(named("Deployment"))["containers"][0]
    configuration = yaml.safe_load(named("ConfigMap")["data"]["lockstep.yaml"])
    port = int(configuration["serve"]["listen"].rpartition(":")[2])
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    for probe, path in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]:
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
    service = named("Service")
    assert service["spec"]["ports"][0]["targetPort"] == "http"
    labels = named("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    monitor = named("ServiceMonitor")["spec"]
    assert monitor["endpoints"][0]["port"] == "http" and monitor["endpoints"][0]["path"] == "/metrics"
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    # The alerts look for job="lockstep", which the operator takes from this label of the service.
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "lockstep"


def test_scheduled_runs_do_not_overlap_and_final_failures_are_not_repeated():
    for name in ("lockstep-run", "lockstep-check"):
        job = named("CronJob", name)["spec"]
        assert job["concurrencyPolicy"] == "Forbid"
        rules = job["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
        final = next(rule for rule in rules if rule["action"] == "FailJob")["onExitCodes"]["values"]
        # 75 is "try again later", 8 "the next run goes on", 7 "another run is at work".
        assert {2, 4, 78} <= set(final) and not {3, 7, 8, 75} & set(final)


def test_the_backfill_has_a_pair_for_each_index():
    job = named("Job", "lockstep-backfill")["spec"]
    configuration = yaml.safe_load(named("ConfigMap", "lockstep-backfill")["data"]["lockstep.yaml"])
    assert job["completionMode"] == "Indexed"
    assert list(configuration["pairs"]) == [f"shard-{index}" for index in range(job["completions"])]
    container = job["template"]["spec"]["containers"][0]
    assert "shard-$(SHARD)" in container["args"]
    variable = next(entry for entry in container["env"] if entry["name"] == "SHARD")
    assert variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    targets = [pair["target"]["location"] for pair in configuration["pairs"].values()]
    assert len(set(targets)) == len(targets)


def test_workload_identities_of_all_clouds():
    annotations = named("ServiceAccount")["metadata"]["annotations"]
    assert set(annotations) == {
        "eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id"
    }
    for _, document in DOCUMENTS:
        if document["kind"] == "Deployment":
            assert document["spec"]["template"]["metadata"]["labels"]["azure.workload.identity/use"] == "true"


def test_kustomization_names_files_that_are_there():
    for name in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]:
        assert (FOLDER / name).exists(), name
