# SPDX-License-Identifier: Apache-2.0
"""An S3 on loopback that checks signatures and rights: moto, with two buckets, one with object
lock, and one user and one role for them.

Prints one line of JSON when it is ready, {"port", "id", "secret", "role"}, and serves until its standard
input ends.
"""
import json
import logging
import os
import sys
import threading

for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    os.environ[name] = "nobody"
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
logging.getLogger("werkzeug").setLevel(logging.ERROR)

import boto3  # noqa: E402
import requests  # noqa: E402
import moto.moto_server.threaded_moto_server as threaded  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

LOCK = threading.Lock()
BUCKET, LOCKED, REGION = "shop-backups", "shop-locked", "eu-central-1"


class OneByOne(threaded.DomainDispatcherApplication):
    """Whether a name is taken is looked at and acted upon at once, as in the real one."""

    def __call__(self, environ, start_response):
        with LOCK:
            return super().__call__(environ, start_response)


threaded.DomainDispatcherApplication = OneByOne


def main():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    base = "http://%s:%d" % server.get_host_and_port()
    iam = boto3.client("iam", endpoint_url=base, region_name=REGION)
    iam.create_user(UserName="belay")
    key = iam.create_access_key(UserName="belay")["AccessKey"]
    rights = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", 
         "Resource": [f"arn:aws:s3:::{name}{what}" for name in (BUCKET, LOCKED) for what in ("", "/*")]}]}
    iam.put_user_policy(UserName="belay", PolicyName="belay", PolicyDocument=json.dumps(rights))
    role = iam.create_role(RoleName="belay", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    iam.put_role_policy(RoleName="belay", PolicyName="belay", PolicyDocument=json.dumps(rights))
    given = boto3.client("sts", endpoint_url=base, region_name=REGION).assume_role(
        RoleArn=role, RoleSessionName="belay")["Credentials"]
    role_keys = {"arn": role, "id": given["AccessKeyId"], "secret": given["SecretAccessKey"], "session": given["SessionToken"]}
    s3 = boto3.client("s3", endpoint_url=base, region_name=REGION)
    for name in (BUCKET, LOCKED):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION},
                         ObjectLockEnabledForBucket=name == LOCKED)
    requests.post(f"{base}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
    print(json.dumps({"port": server.get_host_and_port()[1], "id": key["AccessKeyId"], "secret": key["SecretAccessKey"],
                      "role": role_keys}), flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
