"""The Argo workflows, read by the models that Hera generates from Argo's own description of its API."""

import copy
import re

import kubernetes_validate
import pytest
from hera.workflows import models

from checkout import CONFIG
from pods import CUSTOM, documents, faults

FOLDER = CONFIG / "argo"
KINDS = {"CronWorkflow": models.CronWorkflow, "WorkflowTemplate": models.WorkflowTemplate}
TEMPLATE = documents(FOLDER / "workflowtemplate.yaml")[0]
CRON = documents(FOLDER / "cronworkflow.yaml")[0]


def read_back(document):
    """What is left after Argo's types have read it: fields that they do not know are gone."""
    return KINDS[document["kind"]].model_validate(document).model_dump(by_alias=True, exclude_unset=True, mode="json")


@pytest.mark.parametrize("document", [TEMPLATE, CRON], ids=lambda document: document["kind"])
def test_argo_knows_every_field(document):
    assert read_back(document) == document


def test_an_unknown_field_would_be_noticed():
    wrong = copy.deepcopy(TEMPLATE)
    wrong["spec"]["templates"][1]["retryStrategy"]["expresion"] = "true"
    assert read_back(wrong) != wrong


def test_the_executor_has_an_account_and_one_right():
    for document in documents(FOLDER / "executor.yaml"):
        assert document["kind"] not in CUSTOM
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    account, secret, role, _ = documents(FOLDER / "executor.yaml")
    assert account["metadata"]["name"] == TEMPLATE["spec"]["executor"]["serviceAccountName"]
    # The name by which Argo looks for the token.
    assert secret["metadata"]["name"] == f"{account['metadata']['name']}.service-account-token"
    assert role["rules"] == [{"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}]


def templates():
    return {template["name"]: template for template in TEMPLATE["spec"]["templates"]}


def test_containers_are_restricted():
    spec = TEMPLATE["spec"]
    containers = [template["container"] for template in templates().values() if "container" in template]
    pod = {
        "containers": containers, "volumes": spec["volumes"], "securityContext": spec["securityContext"],
        "automountServiceAccountToken": spec["automountServiceAccountToken"],
    }
    assert len(containers) == 2 and faults(pod) == []
    for container in containers:
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}


def test_steps_parameters_and_references_exist():
    tasks = templates()["replicate"]["dag"]["tasks"]
    names = {task["name"] for task in tasks}
    for task in tasks:
        assert task["template"] in templates()
        assert set(re.findall(r"(\w+)\.\w+", task.get("depends", ""))) <= names
        wanted = {parameter["name"] for parameter in templates()[task["template"]].get("inputs", {}).get("parameters", [])}
        assert wanted == {parameter["name"] for parameter in task.get("arguments", {}).get("parameters", [])}
    declared = {parameter["name"] for parameter in TEMPLATE["spec"]["arguments"]["parameters"]}
    assert set(re.findall(r"workflow\.parameters\.(\w+)", str(TEMPLATE))) == declared
    given = {parameter["name"] for parameter in CRON["spec"]["workflowSpec"]["arguments"]["parameters"]}
    assert given == declared
    assert CRON["spec"]["workflowSpec"]["workflowTemplateRef"]["name"] == TEMPLATE["metadata"]["name"]


def test_nothing_is_promoted_without_a_check_or_a_person():
    tasks = {task["name"]: task for task in templates()["replicate"]["dag"]["tasks"]}
    assert tasks["check"]["depends"] == "run.Succeeded"
    assert tasks["hold"]["depends"] == "check.Failed" and "suspend" in templates()[tasks["hold"]["template"]]
    assert tasks["promote"]["depends"] == "check.Succeeded || hold.Succeeded"
    # A check that found drift (4) or could not prove (5) is not tried again.
    assert "== 75" in templates()["check"]["retryStrategy"]["expression"]
    assert "in [7, 8, 75]" in templates()["lockstep"]["retryStrategy"]["expression"]
