"""`lockstep policy`: what it prints suffices and is needed.

Amazon's policies are put into effect in moto, which refuses what they do not allow; it knows no conditions, so these are looked at only. Google's and
Azure's are held against the operations that real runs make at CloudSim, by what the services' manuals say each of them takes.
"""

import json
import os
import uuid

import boto3
import pytest

from doctoring import doctor
from lockstep_binary import Lockstep
from locations import MIB, S3Location

PART = ("--part-size", "5M")
#: moto asks for s3:GetObject where Amazon asks for this one too.
NOT_ENFORCED = {"s3:GetObjectAttributes"}


def policy(lockstep, source, target, *flags):
    document = json.loads(lockstep.run("policy", source, target, "--json", *flags).out)
    assert document["schema"] == "lockstep.policy/1"
    return document


def statements(side):
    (document,) = side["documents"]
    assert document["kind"] == "iam-policy" and document["content"]["Version"] == "2012-10-17"
    return {statement["Sid"]: statement for statement in document["content"]["Statement"]}


def actions(side):
    return {action for statement in statements(side).values() for action in statement["Action"]}


class Account:
    """moto with users that hold a policy each, as profiles of one `lockstep`."""

    def __init__(self, moto, directory):
        self.moto, self.directory = moto, directory
        self.iam = boto3.client(
            "iam", endpoint_url=moto.endpoint, region_name="us-east-1", aws_access_key_id=moto.access_key,
            aws_secret_access_key=moto.secret_key,
        )
        self.lockstep = Lockstep(directory, {"AWS_ENDPOINT_URL_S3": moto.endpoint, "AWS_REGION": "us-east-1"})
        (directory / ".aws").mkdir()

    def user(self, profile, side, without=()):
        """A profile whose rights are those of the policy, but for some actions. Conditions are nothing that moto knows."""
        document = json.loads(json.dumps(side["documents"][0]["content"]))
        for statement in document["Statement"]:
            statement.pop("Condition", None)
            statement["Action"] = [action for action in statement["Action"] if action not in without]
        document["Statement"] = [statement for statement in document["Statement"] if statement["Action"]]
        # Of deletions in one request moto asks whether the bucket may be deleted from, Amazon for each object.
        for statement in document["Statement"]:
            if "s3:DeleteObject" in statement["Action"]:
                bucket = statement["Resource"].split("/")[0]
                document["Statement"].append({"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": bucket})
                break
        name = f"{profile}-{uuid.uuid4().hex[:8]}"
        self.iam.create_user(UserName=name)
        self.iam.put_user_policy(UserName=name, PolicyName="lockstep", PolicyDocument=json.dumps(document))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        with open(self.directory / ".aws" / "credentials", "a") as file:
            file.write(f"[{profile}]\naws_access_key_id={key['AccessKeyId']}\naws_secret_access_key={key['SecretAccessKey']}\n")


@pytest.fixture
def account(moto, tmp_path):
    return Account(moto, tmp_path)


PAIR = ("--source-profile", "reader", "--target-profile", "writer")


def prefixed(bucket, prefix):
    return S3Location(bucket.client, bucket.bucket, prefix)


def test_the_printed_policy_of_amazon_suffices_for_every_task(account, moto):
    source, target = prefixed(moto.bucket(), "release/"), prefixed(moto.bucket(), "copy/")
    printed = policy(account.lockstep, source.url, target.url, "--delete", "--delta")
    account.user("reader", printed["source"])
    account.user("writer", printed["target"])
    source.fill({"large": os.urandom(11 * MIB), "small": b"1", "gone": b"2"})
    run = account.lockstep.sync
    run(source.url, target.url, *PAIR, *PART, "--delete")
    source.delete("gone")
    source.fill({"small": b"other", "large": source.get("large")[: 6 * MIB] + os.urandom(6 * MIB)})
    summary = run(source.url, target.url, *PAIR, *PART, "--delete", "--delta", "--max-delete", "100%").summary
    assert summary["deleted_objects"] == 1 and summary["failed_objects"] == 0
    assert target.visible() == source.visible()
    account.lockstep.run("check", source.url, target.url, *PAIR, "--state", account.lockstep.state)
    account.lockstep.run("check", source.url, target.url, *PAIR, "--evidence", "3", "--state", account.lockstep.state)
    account.lockstep.run("sweep", target.url, "--profile", "writer", "--older-than", "0")
    found = doctor(account.lockstep, target, "--profile", "writer", expect=None)
    assert not found.with_mark("denied") and found.summary["left_behind"] == [], found.findings
    found = doctor(account.lockstep, source, "--profile", "reader", "--as", "source")
    assert found.marks("rights") == ["ok"], found.findings


def test_what_the_policy_does_not_name_is_refused(account, moto):
    source, target = prefixed(moto.bucket(), "release/"), prefixed(moto.bucket(), "copy/")
    printed = policy(account.lockstep, source.url, target.url)
    account.user("reader", printed["source"])
    account.user("writer", printed["target"])
    source.fill({"a": b"1", "b": b"2"})
    account.lockstep.sync(source.url, target.url, *PAIR)
    # Not the other way round, and not beside the prefix.
    account.lockstep.sync(target.url, source.url + "x/", "--source-profile", "writer", "--target-profile", "reader", expect=None)
    assert source.keys() == ["a", "b"]
    outside = f"s3://{target.bucket}/elsewhere"
    found = doctor(account.lockstep, outside, "--profile", "writer", expect=78)
    assert [one["operation"] for one in found.with_mark("denied")] == ["put"], found.findings
    # Without --delete nothing but its own may be deleted.
    source.delete("a")
    account.lockstep.sync(source.url, target.url, *PAIR, "--delete", "--max-delete", "100%", expect=None)
    assert target.visible() == {"a": b"1", "b": b"2"}


NEEDED = [
    "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads",
]


@pytest.mark.parametrize("action", NEEDED)
def test_each_action_is_needed(account, moto, action):
    source, target = moto.bucket(), moto.bucket()
    printed = policy(account.lockstep, source.url, target.url, "--delete", "--delta")
    assert actions(printed["target"]) == {*NEEDED, *NOT_ENFORCED}
    account.user("writer", printed["target"], without=[action])
    found = doctor(account.lockstep, target, "--profile", "writer", expect=None)
    missed = found.with_mark("denied") + [one for one in found.findings if one["subject"] == "open-uploads" and one["mark"] == "warning"]
    assert missed, found.findings
    for one in found.with_mark("denied"):
        assert action in one["permissions"], one


@pytest.mark.parametrize("action", ["s3:ListBucket", "s3:GetObject"])
def test_each_action_is_needed_at_the_source(account, moto, action):
    source, target = moto.bucket(), moto.bucket()
    printed = policy(account.lockstep, source.url, target.url, "--for", "sync")
    assert actions(printed["source"]) == {"s3:ListBucket", "s3:GetObject"}
    account.user("reader", printed["source"], without=[action])
    account.user("writer", printed["target"])
    source.fill({"a": b"1"})
    account.lockstep.sync(source.url, target.url, *PAIR, expect=None)
    assert target.visible() == {}


def test_a_policy_names_bucket_prefix_keys_and_queue(lockstep):
    key = "arn:aws:kms:eu-central-1:1:key/abc"
    printed = policy(
        lockstep, "s3://models/release", "s3://backup/copy", "--for", "sync", "--source-key", key, "--target-key", key,
        "--events", "https://sqs.eu-central-1.amazonaws.com/123456789012/models")
    source, target = statements(printed["source"]), statements(printed["target"])
    assert source["ListObjects"]["Resource"] == "arn:aws:s3:::models"
    assert source["ListObjects"]["Condition"] == {"StringLikeIfExists": {"s3:prefix": ["release/*"]}}
    assert source["Objects"]["Resource"] == "arn:aws:s3:::models/release/*"
    assert source["Key1"]["Action"] == ["kms:Decrypt"] and source["Key1"]["Resource"] == key
    assert target["Key1"]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert source["Events"]["Resource"] == "arn:aws:sqs:eu-central-1:123456789012:models" and "Events" not in target
    assert target["OwnFolder"] == {
        "Sid": "OwnFolder", "Effect": "Allow", "Action": ["s3:DeleteObject"], "Resource": "arn:aws:s3:::backup/copy/.lockstep/*",
    }
    assert not any("*" in action for side in (source, target) for statement in side.values() for action in statement["Action"])


GOOGLE = {
    # JSON and XML methods, and the permissions that the manual names for each.
    "ListObjects": {"storage.objects.list"}, "GetObjectMetadata": {"storage.objects.get"}, "GetObject": {"storage.objects.get"},
    "InsertObject": {"storage.objects.create", "storage.objects.delete"},
    "ResumableStart": {"storage.objects.create", "storage.objects.delete"}, "ResumableChunk": set(), "ResumableCancel": set(),
    "DeleteObject": {"storage.objects.delete"}, "Batch": {"storage.objects.delete"}, "PatchObject": {"storage.objects.update"},
    "Rewrite": {"storage.objects.create", "storage.objects.get", "storage.objects.delete"},
    "Move": {"storage.objects.move", "storage.objects.create", "storage.objects.delete"},
    "XMLListUploads": {"storage.multipartUploads.list", "storage.objects.list"},
    "XMLInitiate": {"storage.multipartUploads.create", "storage.objects.create"},
    "XMLPart": {"storage.multipartUploads.create", "storage.objects.create"},
    "XMLComplete": {"storage.multipartUploads.create", "storage.objects.create", "storage.objects.delete"},
    "XMLListParts": {"storage.multipartUploads.listParts"}, "XMLAbort": {"storage.multipartUploads.abort"},
}
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/"
AZURE = {
    **{name: {BLOBS + "read"} for name in ("ListBlobs", "GetBlob", "GetBlobProperties", "GetBlockList")},
    **{name: {BLOBS + "write"} for name in ("PutBlob", "PutBlock", "PutBlockList")},
    **{name: {BLOBS + "read", BLOBS + "write"} for name in ("PutBlobFromURL", "CopyBlob", "CopyBlobFromURL", "PutBlockFromURL")},
    "DeleteBlob": {BLOBS + "delete"}, "BlobBatch": {BLOBS + "delete"},
}


def granted(side):
    found = set()
    for document in side["documents"]:
        found |= set(document["content"].get("includedPermissions", []) + document["content"].get("DataActions", []))
    return found


def everything(lockstep, source, target):
    """Every task once, with large and small objects, changes and deletions, and metadata beyond ASCII."""
    source.fill({"large": (os.urandom(16 * MIB), {"metadata": {"note": "\u00e9"}}), "small": b"1", "gone": b"2"})
    lockstep.sync(source.url, target.url, *PART)
    source.delete("gone")
    source.fill({"small": b"other", "large": source.get("large")[: 6 * MIB] + os.urandom(11 * MIB)})
    lockstep.sync(source.url, target.url, *PART, "--delete", "--delta", "--max-delete", "100%")
    lockstep.run("check", source.url, target.url, "--evidence", "3", "--state", lockstep.state)
    lockstep.run("sweep", target.url, "--older-than", "0")
    doctor(lockstep, target)


@pytest.mark.parametrize("kind, cloud, manual", [("gs", "gcs", GOOGLE), ("az", "azure", AZURE)])
def test_runs_call_what_the_roles_allow_and_nothing_else(lockstep, location, sim, kind, cloud, manual):
    # boto3 sends no metadata beyond ASCII.
    source, target = location("file"), location(kind)
    sim.call("DELETE", "requests")
    everything(lockstep, source, target)
    called = set(sim.requests(cloud)) - {"Token"}
    assert target.visible() == source.visible()
    assert called <= set(manual), called - set(manual)
    needed = set().union(*(manual[operation] for operation in called))
    printed = policy(lockstep, source.url, target.url, "--delete", "--delta")
    assert granted(printed["target"]) == needed

    other = location("s3")
    sim.call("DELETE", "requests")
    lockstep.sync(target.url, other.url, *PART)
    lockstep.run("check", target.url, other.url, "--evidence", "3", "--state", lockstep.state)
    doctor(lockstep, target, "--as", "source", "--read-only")
    needed = set().union(*(manual[operation] for operation in set(sim.requests(cloud)) - {"Token"}))
    assert granted(policy(lockstep, target.url, other.url)["source"]) == needed


@pytest.mark.parametrize("kind, cloud, manual", [("gs", "gcs", GOOGLE), ("az", "azure", AZURE)])
def test_what_the_roles_do_not_allow_is_not_missed(lockstep, location, sim, kind, cloud, manual):
    """Every operation whose permissions a source's role lacks is refused, and a run from it does not notice."""
    place, other = location(kind), location("s3")
    place.fill({"large": os.urandom(11 * MIB), "small": b"1"})
    allowed = granted(policy(lockstep, place.url, other.url, "--for", "sync,check")["source"])
    for operation, permissions in manual.items():
        if permissions and not permissions <= allowed:
            sim.add_fault(action="status", cloud=cloud, bucket=place.scope, operation=operation, status=403)
    lockstep.sync(place.url, other.url, *PART)
    lockstep.run("check", place.url, other.url, "--evidence", "3", "--state", lockstep.state)
    assert other.visible() == place.visible()


def test_roles_of_google_are_bound_to_the_prefix(lockstep):
    printed = policy(lockstep, "gs://models/release", "gs://backup/copy", "--for", "sync")
    role, binding = printed["source"]["documents"]
    assert role["kind"] == "custom-role" and role["content"]["includedPermissions"] == ["storage.objects.get", "storage.objects.list"]
    expression = binding["content"]["condition"]["expression"]
    assert 'resource.name.startsWith("projects/_/buckets/models/objects/release/")' in expression
    assert 'api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith("release/")' in expression
    assert ".lockstep/uploads/" not in expression
    bindings = [one["content"] for one in printed["target"]["documents"] if one["kind"] == "role-binding"]
    target = [one["condition"]["expression"] for one in bindings if "condition" in one]
    assert any('buckets/backup/objects/.lockstep/uploads/' in one for one in target)
    assert any('"").startsWith(".lockstep/uploads/")' in one for one in target)
    # Asked of the bucket, where no condition on names of objects holds.
    (free,) = [one for one in bindings if "condition" not in one]
    (role,) = [one["content"] for one in printed["target"]["documents"] if one["content"].get("title") == free["role"].split("/")[-1]]
    assert role["includedPermissions"] == ["storage.multipartUploads.list"]


def test_roles_of_azure_are_scoped_to_the_container_and_the_prefix(lockstep):
    printed = policy(lockstep, "az://account/data/release", "az://account/copy", "--for", "sync")
    definition, assignment = printed["source"]["documents"]
    scope = assignment["content"]["scope"]
    assert scope.endswith("/storageAccounts/account/blobServices/default/containers/data")
    assert definition["content"]["DataActions"] == [BLOBS + "read"] and definition["content"]["Actions"] == []
    condition = assignment["content"]["condition"]
    assert assignment["content"]["conditionVersion"] == "2.0" and condition.count("(") == condition.count(")")
    assert "blobs:path] StringLike 'release/*'" in condition and "blobs:prefix] StringLike 'release/*'" in condition
    assert "condition" not in printed["target"]["documents"][1]["content"]


def test_a_pair_of_the_configuration_says_what_the_flags_say(lockstep, tmp_path):
    key = "arn:aws:kms:eu-central-1:1:key/abc"
    queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/models"
    config = tmp_path / "lockstep.yaml"
    config.write_text(
        "version: 1\npairs:\n  models:\n    source: s3://models/release\n"
        f"    target: {{location: s3://backup/copy, encryption: 'aws:kms:{key}'}}\n"
        f"    delete: {{enabled: true}}\n    delta: true\n    events: {{queue: '{queue}'}}\n"
        "  other:\n    source: s3://models\n    target: gs://backup\n")
    printed = json.loads(lockstep.run("policy", "models", "--config", config, "--json").out)
    flags = policy(
        lockstep, "s3://models/release", "s3://backup/copy", "--delete", "--delta", "--target-key", key, "--events", queue)
    assert printed == flags
    assert lockstep.run("policy", "none", "--config", config, expect=2).err.count("models, other") == 1
    assert "--delete" in lockstep.run("policy", "models", "--config", config, "--delete", expect=2).err


def test_a_pair_with_vaults_keys_and_a_queue_elsewhere_gets_all_it_needs(lockstep, tmp_path):
    key, queue = "arn:aws:kms:eu-central-1:1:key/vault", "projects/p/subscriptions/models"
    config = tmp_path / "lockstep.yaml"
    config.write_text(json.dumps({
        "version": 1,
        "clouds": {"prod": {"type": "s3", "region": "eu-central-1"}, "dr": {"type": "gs", "anonymous": True}},
        "vaults": {
            "offsite": {"location": "gs://backup/models", "cloud": "dr", "kms": f"aws-kms:{key}", "kms_cloud": "prod"},
            "old": {"location": "s3://old/models", "kms": "hashicorp-transit:transit/eu/k1"},
            "azure": {"location": "gs://blobs/models", "kms": "azure-key-vault:https://v.vault.azure.net/keys/k"},
            "google": {"location": "gs://blobs/more", "kms": "gcp-kms:projects/p/locations/eu/keyRings/r/cryptoKeys/k"}},
        "pairs": {
            "models": {
                "source": {"location": "s3://models/release", "cloud": "prod"}, "target": {"vault": "offsite"},
                "events": {"queue": queue, "cloud": "dr"}},
            "back": {
                "source": {"vault": "old"}, "target": "s3://plain",
                "manifest": {"control": {"location": "gs://control/m", "cloud": "dr"}}},
            "a": {"source": {"vault": "azure"}, "target": "s3://a"}, "g": {"source": "s3://g", "target": {"vault": "google"}}}}))
    ask = lambda *words: lockstep.run("policy", *words, "--config", config)
    models = json.loads(ask("models", "--json").out)
    assert set(models) == {"schema", "source", "target", "events", "target-key"}
    assert statements(models["target-key"])["VaultKey"]["Action"] == ["kms:Decrypt", "kms:Encrypt"]
    assert statements(models["target-key"])["VaultKey"]["Resource"] == key
    assert f"add-iam-policy-binding {queue}" in models["events"]["notes"][0] and "Events" not in statements(models["source"])
    assert json.loads(ask("models", "--side", "target-key").out)["Statement"][0]["Sid"] == "VaultKey"
    back = json.loads(ask("back", "--json").out)
    assert set(back) == {"schema", "source", "target", "control", "source-key"} and back["control"]["location"] == "gs://control/m/"
    (rules,) = back["source-key"]["notes"]
    assert 'path "transit/eu/decrypt/k1"' in rules and "encrypt/k1" not in rules
    own = [one["content"] for one in back["control"]["documents"] if one["kind"] == "role-binding"][-1]
    assert "m/.lockstep/" in own["condition"]["expression"]
    assert "Key Vault Crypto User" in ask("a").out and "cloudkms.cryptoKeyEncrypterDecrypter" in ask("g").out
    # A run alone publishes manifests at the control location, and reads nothing else of it.
    run = json.loads(ask("back", "--for", "sync", "--json").out)["control"]
    assert "storage.objects.create" in granted(run) and "storage.multipartUploads.create" not in granted(run)
    # The same of a vault that is named in the place of a location, with the flags of one-shot use.
    named = json.loads(ask("s3://models/release", "vault:offsite", "--json").out)
    assert named["target-key"] == models["target-key"] and named["target"] == models["target"]
    assert "has source, target" in lockstep.run("policy", "s3://a", "s3://b", "--side", "control", expect=2).err


def test_one_side_is_a_document_that_tools_take(lockstep, tmp_path):
    out = lockstep.run("policy", "s3://a", "s3://b", "--side", "target").out
    assert set(json.loads(out)) == {"Version", "Statement"}
    text = lockstep.run("policy", "s3://a", "file:///tmp/b").out
    assert text.startswith("# source s3://a/") and "is a directory" in text
    # What takes no document is said where it does not end up in a file.
    silent = lockstep.run("policy", "s3://a", "file:///tmp/b", "--side", "target")
    assert silent.out == "" and "read and write it" in silent.err


@pytest.mark.parametrize("arguments, words", [
    ([], "locations"), (["s3://a", "s3://b", "s3://c"], "a source and a target"), (["s3://a", "s3://b", "--for", "everything"], "everything"),
    (["s3://a/x*y", "s3://b"], "* in a prefix"), (["gs://a/x\"y", "s3://b"], "quotes"),
    (["s3://a", "s3://b", "--target-key", "alias"], "ARN"), (["s3://a", "s3://b", "--events", "queue"], "sqs"),
    (["gs://a", "s3://b", "--events", "queue"], "subscriptions"), (["az://a/c/x'y", "s3://b"], "quotes"),
    (["az://a/c"], "name its source and its target"), (["s3://a", "--for", "sync"], "name its source and its target"),
    (["s3://a", "/tmp", "--target-key", "k"], "is a directory, which no cloud encrypts"),
    (["/tmp", "s3://a", "--source-key", "k"], "is a directory, which no cloud encrypts"),
    (["s3://a", "gs://b", "--target-key", "arn:aws:kms:x"], "projects/P/locations/L"),
    (["s3://a", "az://b/c", "--target-key", "arn:aws:kms:x"], "encryption scope"),
    (["s3://a", "s3://b", "--permanent-delete"], "give both"), (["s3://a", "s3://b", "--delete", "--for", "check"], "leaves sync out"),
    (["s3://a", "s3://b", "--events", "https://sqs.eu.amazonaws.com/1/q", "--for", "doctor"], "leaves sync out"),
    (["s3://a", "vault+s3://b", "--delta"], "is a vault"), (["/tmp", "s3://b", "--events", "projects/p/subscriptions/s"], "no changes"),
    (["s3://a", "s3://b", "--for", ","], "tasks"),
])
def test_wrong_arguments(lockstep, arguments, words):
    assert words in lockstep.run("policy", *arguments, expect=2).err
