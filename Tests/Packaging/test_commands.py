"""Every command line and every configuration that Config/ and its page show, with the binary itself."""

import ast
import json
import os
import re
import shlex
import textwrap

import pytest
import yaml

from checkout import CONFIG, ROOT, run
from commandlines import fault
from lockstep_binary import binary
from pods import documents, pod_spec

PAGE = ROOT / "Sources/lockstep/lockstep.docc/Deploy.md"


def arguments_of_units():
    for path in (CONFIG / "systemd").glob("*.service"):
        for line in re.findall(r"^Exec\w+=/usr/bin/lockstep (.*)$", path.read_text(), re.M):
            yield path.name, line.replace("%i", "models").split()


def arguments_of_cron():
    for line in (CONFIG / "cron/lockstep").read_text().splitlines():
        if line and not line.startswith("#") and not re.match(r"[A-Z_]+=", line):
            fields = line.split(None, 6)
            assert fields[5] == "lockstep" and fields[6].startswith("lockstep ")
            yield "cron", shlex.split(fields[6].split("||")[0])[1:]


def arguments_of_pods():
    for path in (CONFIG / "kubernetes").glob("*.yaml"):
        for document in documents(path):
            if pod_spec(document):
                yield path.name, pod_spec(document)["containers"][0]["args"]
    for template in documents(CONFIG / "argo/workflowtemplate.yaml")[0]["spec"]["templates"]:
        if "container" in template:
            yield "workflowtemplate.yaml", template["container"]["args"]
    for path in (CONFIG / "helm/lockstep/templates").iterdir():
        for words in re.findall(r'"args" \(list ((?:"[^"]*" ?)+)\)', path.read_text()):
            yield f"helm/{path.name}", shlex.split(words)
    last = (CONFIG / "docker/Dockerfile").read_text().rpartition("\nCMD ")[2]
    yield "Dockerfile", json.loads(last)


def arguments_of_airflow():
    for path in (CONFIG / "airflow").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.List) and node.elts and getattr(node.elts[0], "value", None) in ("run", "check", "sync"):
                yield path.name, [getattr(element, "value", "/etc/lockstep/lockstep.yaml") for element in node.elts]


WHOLE = [*arguments_of_units(), *arguments_of_cron(), *arguments_of_pods(), *arguments_of_airflow()]


@pytest.mark.parametrize("where, words", WHOLE, ids=[f"{where}: {' '.join(words)}" for where, words in WHOLE])
def test_command_lines(where, words):
    assert fault(words) is None


def test_all_kinds_of_files_start_something():
    places = {where for where, _ in WHOLE}
    assert {"lockstep.service", "lockstep-run@.service", "lockstep-check@.service", "cron", "cronjob.yaml", "deployment.yaml",
            "indexed-job.yaml", "workflowtemplate.yaml", "helm/deployment.yaml", "helm/cronjob.yaml", "Dockerfile",
            "lockstep_dag.py", "lockstep_kubernetes_dag.py"} <= places  # fmt: skip


@pytest.mark.parametrize("words", sorted({tuple(words) for _, words in WHOLE if "--config" in words}), ids=" ".join)
def test_the_binary_takes_them_and_asks_for_the_configuration(words, tmp_path):
    """A usage error is 2; with a file that is not there, whatever is started must end with 78 and name it."""
    missing = str(tmp_path / "missing.yaml")
    words = [missing if word == "/etc/lockstep/lockstep.yaml" else word for word in words]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    said = run(binary(), *words, env=environment, cwd=tmp_path, expect=78, timeout=60)
    assert missing in said.stderr


def test_what_alerts_tell_to_do_exists():
    text = (CONFIG / "prometheus/lockstep.rules.yaml").read_text()
    actions = [rule["annotations"]["action"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"] if "alert" in rule]
    word = r"(?:[A-Z]{2,}|--[a-z-]+|[a-z]+\.txt)"
    found = re.findall(rf"lockstep ((?:config check|[a-z]+)(?: {word})*)", " ".join(actions))
    for line in found:
        assert fault(line.split(), whole=False) is None, line
    assert len(found) > 5


def test_commands_of_the_page():
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S)).replace("\\\n", " ")
    found = re.findall(r"(?:^|\s)lockstep(?:_as_unit)? ((?:run|serve|config|doctor|policy|sync|check) .*?)(?:\s+#|$)", shell, re.M)
    for line in found:
        assert fault(shlex.split(line)) is None, line
    inline = re.findall(r"`lockstep(?:_as_unit)? ([a-z][^`]*)`", PAGE.read_text())
    for line in inline:
        assert fault(line.split(), whole=False) is None, line
    assert found and inline


def configurations():
    for path in (CONFIG / "kubernetes").glob("*.yaml"):
        for document in documents(path):
            if document["kind"] == "ConfigMap":
                yield f"{path.name}:{document['metadata']['name']}", document["data"]["lockstep.yaml"]
    values = yaml.safe_load((CONFIG / "helm/lockstep/values.yaml").read_text())["config"]
    example = yaml.safe_load((CONFIG / "helm/lockstep/example.values.yaml").read_text())["config"]
    yield "helm", yaml.safe_dump({**values, **example})
    whole, notifications = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S)
    yield "Deploy.md", textwrap.dedent(whole + notifications)
    yield "lockstep.example.yaml", (CONFIG / "lockstep.example.yaml").read_text()


CONFIGURATIONS = list(configurations())


def test_the_schema_takes_the_configurations(tmp_path):
    run("check-jsonschema", "--check-metaschema", CONFIG / "lockstep.schema.json")
    for number, (_, text) in enumerate(CONFIGURATIONS):
        (tmp_path / f"{number}.yaml").write_text(text)
    run("check-jsonschema", "--schemafile", CONFIG / "lockstep.schema.json", *sorted(tmp_path.glob("*.yaml")))


@pytest.mark.parametrize("name, text", CONFIGURATIONS, ids=[name for name, _ in CONFIGURATIONS])
def test_configurations(name, text, tmp_path):
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "CREDENTIALS_DIRECTORY": str(tmp_path),
        **{variable: "https://example.org/x" for variable in re.findall(r"(?<!\$)\$\{env:(\w+)\}", text) if variable != "CREDENTIALS_DIRECTORY"},
    }
    (tmp_path / "lockstep.yaml").write_text(text)
    run(binary(), "config", "check", "--config", tmp_path / "lockstep.yaml", env=environment)
