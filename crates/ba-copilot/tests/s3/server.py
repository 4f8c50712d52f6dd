"""Moto, an S3 server that others wrote, with accounts, keys, and signatures that are looked at.

Prints one line of JSON: its address, the bucket, the keys of somebody who may use it, and those of somebody who may nothing. Then it does
what each line of its standard input says, and answers with a line: what an operator does with other tools. Ends when that input ends.

Moto looks whether a request is signed by a key that it knows, and not whether its body is the one that was signed, as the protocol asks
for; that is done here.
"""

import hashlib
import io
import json
import sys
import threading

import boto3
from moto import settings
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "backups"
REFUSAL = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>XAmzContentSHA256Mismatch</Code>'
    b"<Message>The body is not the one that was signed.</Message></Error>"
)
MAY_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


def objects(s3):
    return [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def uploads(s3):
    return [found["Key"] for found in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


def begin(s3, key):
    s3.create_multipart_upload(Bucket=BUCKET, Key=key)


def copy(s3, key, to):
    s3.copy_object(Bucket=BUCKET, Key=to, CopySource={"Bucket": BUCKET, "Key": key})


def flip(s3, key):
    body = bytearray(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    body[len(body) // 2] ^= 1
    s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(body))


def empty(s3):
    for key in objects(s3):
        s3.delete_object(Bucket=BUCKET, Key=key)


DOES = {"objects": objects, "uploads": uploads, "begin": begin, "copy": copy, "flip": flip, "empty": empty}


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


def checked(app):
    """Refuses a body that changed on its way."""

    def answer(environ, start_response):
        signed = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
        if len(signed) == 64:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            if hashlib.sha256(body).hexdigest() != signed:
                start_response("400 Bad Request", [("content-type", "application/xml")])
                return [REFUSAL]
        return app(environ, start_response)

    return answer


def main():
    app = checked(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    mine = {
        "endpoint_url": address,
        "region_name": "us-east-1",
        "aws_access_key_id": "none",
        "aws_secret_access_key": "none",
    }
    boto3.client("s3", **mine).create_bucket(Bucket=BUCKET)
    iam = boto3.client("iam", **mine)
    told = {"address": address, "bucket": BUCKET}
    for name, policy in [("keeper", MAY_ALL), ("stranger", None)]:
        iam.create_user(UserName=name)
        if policy:
            iam.put_user_policy(UserName=name, PolicyName="s3", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        told[name] = {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    # From here on everybody has to say who they are.
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    print(json.dumps(told), flush=True)
    keeper = told["keeper"]
    mine.update(aws_access_key_id=keeper["id"], aws_secret_access_key=keeper["secret"])
    s3 = boto3.client("s3", **mine)
    for line in sys.stdin:
        what, *words = line.split()
        print(json.dumps(DOES[what](s3, *words)), flush=True)


main()
