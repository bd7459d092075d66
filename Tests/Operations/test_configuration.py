"""`lockstep config`: what is wrong with a file, where, and what was meant; the published schema and example."""

import json
import pathlib
import re
import subprocess

import jsonschema
import pytest
import yaml

from configurations import Configured
from conftest import tool
from lockstep_binary import Lockstep

CONFIG = pathlib.Path(__file__).parents[2] / "Config"
EXAMPLE = CONFIG / "lockstep.example.yaml"
SCHEMA = CONFIG / "lockstep.schema.json"
#: What the example refers to.
VARIABLES = {
    "MINIO_SECRET": "canary-1", "CREDENTIALS_DIRECTORY": "/run/credentials", "AZURE_SECRET": "canary-2",
    "CHAT_URL": "https://chat.example.com/canary-3",
}
LEAST = "version: 1\npairs:\n  models:\n    source: s3://models-a\n    target: gs://models-b\n"


def test_the_example_is_right(tmp_path):
    lockstep = Lockstep(tmp_path, {})
    configured = Configured(lockstep)
    configured.write(EXAMPLE.read_bytes())
    assert [pair["name"] for pair in configured.check(environment=VARIABLES)["pairs"]] == ["models", "public", "sealed", "restored"]
    outcome = lockstep.run("config", "check", environment={**VARIABLES, "LOCKSTEP_CONFIG": str(EXAMPLE)})
    assert outcome.out.splitlines()[0] == "models\ts3://models/release/\tgs://models-replica/release/"
    # The files of the service are not on this machine.
    warned = {re.search(rf"{EXAMPLE}:[0-9]+:[0-9]+: ([^:]+)", line)[1] for line in outcome.err.splitlines()[:-1]}
    assert {"clouds.dr.credentials_file", "vaults.offsite.password_file", "metrics.textfile"} <= warned
    assert outcome.err.endswith(f"{EXAMPLE}: 4 pairs, nothing wrong but what this machine may lack\n")
    for variable in VARIABLES:
        left = {name: value for name, value in VARIABLES.items() if name != variable}
        found = configured.problems(environment=left)
        assert [message for _, _, message, _ in found] == [f"the variable {variable} is not set"], found


def test_the_example_names_every_key():
    """Also those that exclude another one, as comments."""
    text = EXAMPLE.read_text()

    def names(schema):
        for name, value in schema.get("properties", {}).items():
            yield name
            yield from names(value)
        for inner in schema.get("anyOf", []) + schema.get("oneOf", []):
            yield from names(inner)
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                yield from names(schema[key])

    known = set(names(json.loads(SCHEMA.read_text())))
    assert len(known) > 100
    assert not [name for name in known if not re.search(rf"\b{name}:", text)]


def test_the_published_schema_is_that_of_the_program(lockstep):
    assert lockstep.run("config", "schema").out == SCHEMA.read_text()
    table = lockstep.run("config", "schema", "--table").out
    page = pathlib.Path(__file__).parents[2] / "Sources/lockstep/lockstep.docc/Configuration.md"
    assert table in page.read_text()


def test_others_find_the_example_right(run_tool):
    run_tool("check-jsonschema", "--schemafile", SCHEMA, EXAMPLE)
    run_tool("check-jsonschema", "--check-metaschema", SCHEMA)
    # `on` is a key of notifications; the rest is what people read well.
    rules = "{extends: default, rules: {line-length: {max: 140}, truthy: {check-keys: false}, braces: {max-spaces-inside: 0}}}"
    run_tool("yamllint", "--strict", "-d", rules, EXAMPLE)


# MARK: Schema and program agree

def candidates(schema, root, name):
    """Values of a schema: one for each of its forms and optional keys."""
    if "$ref" in schema:
        schema = {**root["$defs"][schema["$ref"].rsplit("/", 1)[1]]}
    for form in schema.get("anyOf", []) + ([] if "properties" in schema else schema.get("oneOf", [])):
        yield from candidates(form, root, name)
    if "const" in schema:
        yield schema["const"]
    elif "enum" in schema:
        yield from schema["enum"]
    elif "properties" in schema:
        yield from objects(schema, root)
    elif schema.get("type") == "object":
        for value in candidates(schema["additionalProperties"], root, name):
            yield {"name": value}
    elif schema.get("type") == "array":
        for value in list(candidates(schema["items"], root, name)) or [WORDS.get(name, "x")]:
            yield [value]


#: Texts whose form the schema does not tell.
TEXTS = {
    "location": "s3://bucket/prefix", "queue": "https://sqs.eu-central-1.amazonaws.com/1/q", "endpoint": "http://127.0.0.1:1",
    "sts_endpoint": "https://sts", "authority_host": "https://login", "webhook": "https://chat", "listen": "127.0.0.1:1",
    "cron": "0 1 * * *", "every": "15m", "time_zone": "Europe/Berlin", "days": "mon-fri", "from": "08:00", "to": "18:00",
    "backup_prefix": ".lockstep/x", "evidence": 2, "concurrency": 4, "keep": 2, "set_depth": 1, "seed": 1, "version": 1,
    "parallel_pairs": 2, "folder": "x", "snapshot": "latest", "sample": "1%", "max": "5%", "encryption": "AES256",
    "sets": "x/", "kms": "aws-kms:alias/x", "region": "eu-west-1", "role_arn": "arn:aws:iam::1:role/r",
    "impersonate": "lockstep@project.iam.gserviceaccount.com",
}
#: What a key of a cloud needs beside it.
APPLICATION = {"tenant_id": "t", "client_id": "c", "client_secret": "${env:SECRET}"}
COMPANIONS = {
    "access_key_id": {"secret_access_key": "${env:SECRET}"}, "secret_access_key": {"access_key_id": "x"},
    "session_token": {"access_key_id": "x", "secret_access_key": "${env:SECRET}"},
    **{key: {"role_arn": "arn:aws:iam::1:role/r"}
       for key in ("external_id", "role_session_name", "role_duration", "web_identity_token_file")},
    **{key: APPLICATION for key in APPLICATION},
    **{key: {"tenant_id": "t", "client_id": "c"} for key in ("certificate_file", "federated_token_file")},
    "certificate_password": {"tenant_id": "t", "client_id": "c", "certificate_file": "x"},
}
VARIABLES_OF_KEYS = {
    "SECRET": "canary", "X": "1", "KEY": "Y2FuYXJ5", "SAS": "sig=canary", "STRING": "AccountName=account;AccountKey=Y2FuYXJ5",
}
SIZES = {"rate": "5M", "max_transfer": "1T", "memory": "64M", "part_size": "8M"}
TIMES = {"max_duration": "1h", "lease": "30s", "jitter": "1m", "batch_wait": "5s", "role_duration": "1h"}


def objects(schema, root):
    """One for each key that may be left out, with what must be there."""
    required = list(schema.get("required", []))
    if "oneOf" in schema:
        ways = [form["required"] for form in schema["oneOf"]]
    else:
        ways = [[]]
    for way in ways:
        least = {name: value(name, schema["properties"][name], root) for name in required + way}
        yield least
        excluded = {name for form in ways for name in form}
        for name, inner in schema["properties"].items():
            if name in least or name in excluded:
                continue
            for found in list(values(name, inner, root)):
                yield {**least, name: found}


def value(name, schema, root):
    return next(iter(values(name, schema, root)))


def values(name, schema, root):
    special = {**TEXTS, **SIZES, **TIMES}.get(name)
    if special is not None and schema.get("type") != "object" and "properties" not in schema:
        yield special
        return
    if schema.get("pattern", "").startswith(r"\$\{env:"):
        yield "${env:SECRET}"
        return
    found = False
    for candidate in candidates(schema, root, name):
        found = True
        yield candidate
    if not found:
        yield WORDS.get(name, "x")


#: Names that must be those of something.
WORDS = {"cloud": "known", "vault": "known", "pairs": "models"}


def test_what_the_schema_allows_the_program_reads_key_by_key(configured, lockstep):
    """Each key alone, in the least document; what contradicts something else is left out here, and tested elsewhere."""
    root = json.loads(SCHEMA.read_text())
    validator = jsonschema.Draft202012Validator(root)
    read = set()
    pair_schema = root["properties"]["pairs"]["additionalProperties"]
    documents = []
    for name, schema in root["properties"].items():
        if name not in ("pairs", "defaults", "version"):
            documents += [({name: found}, name) for found in values(name, schema, root)]
    for name, schema in pair_schema["properties"].items():
        if name not in ("source", "target"):
            documents += [({"pair": {name: found}}, name) for found in values(name, schema, root)]
    assert len(documents) > 90
    for change, name in documents:
        pair = {"source": "s3://models-a", "target": "gs://models-b", **change.pop("pair", {})}
        pair.get("events", {}).pop("cloud", None)
        if "pointers" in pair:
            pair["pointers"].setdefault("patterns", ["x"])
        if "seed" in pair.get("check", {}):
            pair["check"]["sample"] = "1%"
        if pair.get("layout") == "vault":
            pair["target"] = "vault+gs://models-b"
        for schedule in (pair.get("schedule", {}), pair.get("check", {}).get("schedule", {})):
            if "every" in schedule:
                schedule.pop("time_zone", None)
        for window in pair.get("windows", []):
            window["from"], window["to"] = "08:00", "18:00"
        control = pair.get("manifest", {}).get("control")
        if isinstance(control, dict):
            control.pop("cloud", None)
            if control.pop("vault", None):
                continue
            control.pop("folder", None)
        document = {"version": 1, "pairs": {"models": pair}, **change}
        for vault in document.get("vaults", {}).values():
            vault.pop("cloud", None)
            vault.pop("kms_cloud", None)
        for cloud in document.get("clouds", {}).values():
            for key, variable in [("account_key", "KEY"), ("sas_token", "SAS"), ("connection_string", "STRING")]:
                if key in cloud:
                    cloud[key] = f"${{env:{variable}}}"
            for key in list(cloud):
                for other, value in COMPANIONS.get(key, {}).items():
                    cloud.setdefault(other, value)
            if cloud.get("anonymous") in (True, "yes", "on"):
                assert set(cloud) == {"type", "anonymous"}
        validator.validate(document)
        configured.write(json.dumps(document))
        found = configured.problems(environment=VARIABLES_OF_KEYS)
        # References of the schema's own making stand for values of any type.
        if not any("must be" in message for _, _, message, _ in found) or "${env" not in json.dumps(document):
            assert not found, (document, found)
        read.add(name)
    assert read >= set(pair_schema["properties"]) - {"source", "target"}


@pytest.mark.parametrize("place", [
    (), ("log",), ("metrics",), ("serve",), ("clouds", "c"), ("vaults", "v"), ("defaults",), ("pairs", "models"),
    ("pairs", "models", "limits"), ("pairs", "models", "delete"), ("pairs", "models", "source"), ("pairs", "models", "check", "schedule"),
])
def test_what_neither_knows(configured, place):
    """An unknown key, and a list where an object should be, are refused by both at every place."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    base = {
        "log": {}, "metrics": {}, "serve": {}, "clouds": {"c": {"type": "s3"}}, "vaults": {"v": {"location": "s3://models-v"}}, "defaults": {},
        "version": 1,
        "pairs": {"models": {
            "source": {"location": "s3://models-a"}, "target": "gs://models-b", "limits": {}, "delete": {}, "check": {"schedule": {"every": "1h"}}}},
    }
    configured.write(json.dumps(base))
    assert validator.is_valid(base) and not configured.problems()

    def changed(change):
        document = json.loads(json.dumps(base))
        holder = document
        for name in place[:-1]:
            holder = holder[name]
        if not place:
            return change(document)
        holder[place[-1]] = change(holder[place[-1]])
        return document

    for change in (lambda object: {**object, "nonsense": 1}, lambda object: [1]):
        document = changed(change)
        assert not validator.is_valid(document)
        configured.write(json.dumps(document))
        assert configured.problems()


# MARK: What is wrong

def test_problems_are_told_with_line_key_and_suggestion(configured, lockstep):
    configured.write(
        LEAST + "    limits: {raate: 5M}\n    windows:\n      - {from: 8, to: '18:00', rate: 1M}\n"
        "clouds:\n  prod: {type: s3}\n  prod: {type: gs}\n"
        "notifications:\n  - {name: chat, webhook: '${env:CHATURL}', on: [failur]}\n")
    found = configured.problems(environment={"CHAT_URL": "https://x"})
    assert found == [
        (6, "pairs.models.limits.raate", "unknown key", "rate"),
        (8, "pairs.models.windows[0].from", 'must be a time of day from "00:00" to "24:00"', None),
        (11, "prod", "the key is there already, in line 10; keep one of them", None),
        (13, "notifications[chat].webhook", "the variable CHATURL is not set", "CHAT_URL"),
        (13, "notifications[chat].on[0]", "must be failure, drift or recovery", "failure"),
    ]
    told = lockstep.run("config", "check", "--config", configured.path, expect=78, environment={"CHAT_URL": "https://x"}).err
    assert told.splitlines()[0] == f"error: {configured.path}:6:14: pairs.models.limits.raate: unknown key; did you mean 'rate'?"
    assert len(told.splitlines()) == 5
    # Whoever runs pairs is told the same.
    assert lockstep.run("run", "--config", configured.path, expect=78, environment={"CHAT_URL": "https://x"}).err == told


def test_no_file(configured, lockstep):
    missing = lockstep.run("config", "check", "--config", "/nowhere/lockstep.yaml", expect=78).err
    assert "/nowhere/lockstep.yaml cannot be read: No such file or directory; name a file with --config" in missing
    directory = lockstep.run("run", "--config", lockstep.directory, expect=78).err
    assert "it is a directory" in directory
    assert "/etc/lockstep/lockstep.yaml" in lockstep.run("run", expect=78).err


def test_one_service_however_its_url_is_written(configured):
    urls = ["http://127.0.0.1:9000", "http://127.0.0.1:9000/", "HTTP://127.0.0.1:9000"]
    clouds = "".join(f"  c{number}: {{type: s3, endpoint: '{url}'}}\n" for number, url in enumerate(urls))
    pairs = "".join(
        f"  p{number}:\n    source: s3://models-a{number}\n    target: {{location: 's3://models-t', cloud: c{number}}}\n" for number in range(3))
    configured.write(f"version: 1\nclouds:\n{clouds}pairs:\n{pairs}")
    assert [key for _, key, message, _ in configured.problems() if "writes there too" in message] == ["pairs.p1.target", "pairs.p2.target"]


def test_a_secret_that_is_taken_for_a_path_is_not_shown(configured, lockstep):
    """`file:${env:SECRET}` where the variable holds the secret itself."""
    configured.write(LEAST + "clouds:\n  prod: {type: s3, access_key_id: AKIA, secret_access_key: 'file:${env:SECRET}'}\n")
    outcome = lockstep.run(
        "config", "check", "--config", configured.path, expect=78, environment={"SECRET": "canary-of-a-secret"})
    assert "canary" not in outcome.out + outcome.err and "${env:SECRET}" in outcome.err


@pytest.mark.parametrize("name", ["secret_access_key", "session_token", "secret_acess_key", "external_id", "type"])
def test_secrets_are_never_shown(configured, lockstep, name):
    canary = "canary-5e3a"
    configured.write(LEAST + f"clouds:\n  prod: {{type: s3, {name}: {canary}}}\n")
    for flags in ([], ["--json"]):
        outcome = lockstep.run("config", "check", "--config", configured.path, *flags, expect=None)
        assert canary not in outcome.out + outcome.err
    configured.write(LEAST + f"    limits: {{memory: '${{env:CANARY}}', {canary}-key: 1}}\n    lease: [{canary}\n")
    outcome = lockstep.run("config", "check", "--config", configured.path, expect=78, environment={"CANARY": canary})
    assert f"{canary}\n" not in outcome.err and f"[{canary}" not in outcome.err


def nested_aliases():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    return "\n".join([*lines, "? [*a29]", ": x", "? [*a29]", ": y", ""])


HOSTILE = {
    "aliases": nested_aliases(),
    "brackets": "[" * 100_000,
    "braces": "{x: " * 100_000,
    "dashes": "- " * 400_000,
    "questions": "? " * 400_000,
    "commas": "x: [" + "y," * 500_000 + "]",
    "lines": "x:\n" * 300_000,
    "text": "x: " + "y" * (1 << 20),
    "quotes": 'x: "' + "\\u0041" * 150_000 + '"',
    "keys": "{" + ", ".join(f"k{n}: 1" for n in range(70_000)) + "}",
    "same keys": "{" + ", ".join("k: 1" for n in range(15_000)) + "}",
    "repeated keys": LEAST + "".join(f"    limits: {{rate: {n}}}\n" for n in range(900)),
    "large": "# " + "x" * (64 << 20),
    "nul": LEAST + "\0",
    "not text": LEAST.encode() + b"\xff\xfe\x00",
    "anchors": "x: " + " ".join(f"&a{n}" for n in range(10_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_little_time_and_memory(configured, name):
    status, seconds, memory, text = configured.write(HOSTILE[name]).measured()
    assert status == 78 and text.startswith("error: ") and len(text) < 20_000
    # Measured below 1.2 s and 110 MB on a loaded machine; what is bounded here is their order.
    assert seconds < 10 and memory < 256 << 20, (seconds, memory)
