"""Calls of AWS, run by the Python of `.tools`, which has botocore. Answers in JSON; exit code 2: the operator has to act.

usage: aws_client.py REGION identity | upload MANIFEST BUCKET
"""

import base64
import json
import os
import sys

import botocore.exceptions
import botocore.session


def identity(session, region):
    answer = session.create_client("sts", region_name=region).get_caller_identity()
    return {"account": answer["Account"], "arn": answer["Arn"]}


def upload(session, region, manifest, bucket):
    with open(manifest, encoding="utf-8") as source:
        functions = json.load(source)["functions"]
    client = session.create_client("s3", region_name=region)
    uploaded = 0
    for entry in functions.values():
        try:
            client.head_object(Bucket=bucket, Key=entry["s3Key"])
            continue
        except botocore.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
        with open(entry["file"], "rb") as body:
            client.put_object(
                Bucket=bucket, Key=entry["s3Key"], Body=body, ContentType="application/zip",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(entry["sha256"])).decode(),
            )
        uploaded += 1
    return {"uploaded": uploaded, "present": len(functions) - uploaded}


def main(region, command, *arguments):
    # Where there are none, asking the metadata address of a machine that has none takes seconds.
    os.environ.setdefault("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")
    try:
        session = botocore.session.Session()
        if session.get_credentials() is None:
            raise botocore.exceptions.NoCredentialsError
        print(json.dumps({"identity": identity, "upload": upload}[command](session, region, *arguments)))
        return 0
    except botocore.exceptions.NoCredentialsError:
        sys.stderr.write("no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.\n")
    except botocore.exceptions.ClientError as error:
        code, where = error.response["Error"].get("Code", "?"), error.operation_name
        if code in ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"):
            sys.stderr.write("the AWS credentials have expired: sign in again.\n")
        else:
            sys.stderr.write(f"AWS refuses {where}: {code} {error.response['Error'].get('Message', '')}\n")
    except botocore.exceptions.BotoCoreError as error:
        sys.stderr.write(f"AWS cannot be used: {str(error).splitlines()[0]}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
