"""Amazon's token, key and queue services as moto has them, which verifies every signature.

The checks themselves are Swift (`AWSPeerTests`): nothing of the program's commands comes between them and the services.
"""

import json
import os
import subprocess

import boto3

from foreign_servers import moto  # noqa: F401
from test_s3_contract import ROOT

BUCKET, QUEUE, KEY = "events", "lockstep-events", "a b/ü+.txt"


def test_the_services_are_understood(moto):  # noqa: F811
    settings = {
        "endpoint_url": moto.endpoint, "region_name": "us-east-1", "aws_access_key_id": moto.access_key,
        "aws_secret_access_key": moto.secret_key,
    }
    iam, kms, sqs, s3 = (boto3.client(name, **settings) for name in ("iam", "kms", "sqs", "s3"))
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trusted = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="peer", AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    allowed = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]})
    iam.put_role_policy(RoleName="peer", PolicyName="keys", PolicyDocument=allowed)
    keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    queue = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    )
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"x")
    peer = " ".join([moto.endpoint, moto.access_key, moto.secret_key, role, *keys, queue])
    result = subprocess.run(
        ["swift", "test", "-c", "release", "--disable-testable-imports", "--skip-build", "--filter", "AWSPeerTests"], cwd=ROOT,
        env={**os.environ, "LOCKSTEP_AWS_PEER": peer}, capture_output=True, text=True, timeout=600,
    )
    told = [line for line in (result.stdout + result.stderr).splitlines() if "✘" in line or "error:" in line]
    assert result.returncode == 0, "\n".join(told)
    assert "with 5 tests in 1 suite passed" in result.stdout + result.stderr, "the checks did not run"
