# SPDX-License-Identifier: Apache-2.0
"""An S3 on loopback that checks signatures and rights: moto, with one bucket and one user for it.

Prints one line of JSON when it is ready, {"port", "id", "secret"}, and serves until its standard
input ends.
"""
import json
import logging
import os
import sys

for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    os.environ[name] = "nobody"
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
logging.getLogger("werkzeug").setLevel(logging.ERROR)

import boto3  # noqa: E402
import requests  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

BUCKET, REGION = "shop-backups", "eu-central-1"


def main():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    base = "http://%s:%d" % server.get_host_and_port()
    iam = boto3.client("iam", endpoint_url=base, region_name=REGION)
    iam.create_user(UserName="belay")
    key = iam.create_access_key(UserName="belay")["AccessKey"]
    rights = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]}]}
    iam.put_user_policy(UserName="belay", PolicyName="belay", PolicyDocument=json.dumps(rights))
    boto3.client("s3", endpoint_url=base, region_name=REGION).create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    requests.post(f"{base}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
    print(json.dumps({"port": server.get_host_and_port()[1], "id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}),
          flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
