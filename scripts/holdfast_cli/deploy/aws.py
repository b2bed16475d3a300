"""Calls of AWS, or of the local cloud in its place. What the operator has to act upon is `Refused`, in one line."""

from __future__ import annotations

import base64
import functools
import json
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict

from holdfast_cli.core.console import Step
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.core.tfvars import Values
from holdfast_cli.deploy import environments

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

# Too much at once, or trouble on AWS's side: the same command may well succeed a little later.
_LATER = ("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
          "ProvisionedThroughputExceededException", "RequestThrottled", "SlowDown", "ServiceUnavailable", "ServiceUnavailableException",
          "ServiceException", "InternalFailure", "InternalServerError")
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")


class Identity(TypedDict):
    account: str
    arn: str


class Alias(TypedDict):
    """Where an alias is: the version it is on, the shares of other versions, the newest version of its function."""

    version: str
    weights: dict[str, float]
    newest: str


class Move(TypedDict):
    name: str
    version: str
    weights: dict[str, float]


@functools.cache
def _descriptions() -> Any:
    """The reader of the client's own descriptions of services. It keeps what it has read, so all sessions share it."""
    import botocore.loaders

    return botocore.loaders.create_loader()


class Api:
    """The clients of an environment: on AWS with the caller's credentials; on the local cloud with its fixed ones (or those given), and
    nothing of the caller's configuration."""

    def __init__(self, settings: Settings, key: str = "", secret: str = "", token: str | None = None, **config: Any) -> None:
        import boto3
        import botocore.session
        from botocore.config import Config

        if settings.on_local_cloud:
            nothing = {name: (None, None, value, None) for name, value in
                       (("profile", None), ("config_file", os.devnull), ("credentials_file", os.devnull))}
            own = botocore.session.Session(session_vars=nothing)
            own.register_component("data_loader", _descriptions())
            given = (key, secret, token) if key else settings.credentials or ("test", "test")
            self.session = boto3.Session(*given, botocore_session=own, region_name=settings.region)
            # Bypass the user's proxy for loopback addresses.
            self._options: dict[str, Any] = {"endpoint_url": settings.endpoint, "config": Config(proxies={}, **config)}
        else:
            own = botocore.session.Session()
            # Asking the metadata address of a machine that has none takes seconds.
            if not os.environ.get("AWS_METADATA_SERVICE_NUM_ATTEMPTS"):
                own.set_config_variable("metadata_service_num_attempts", 1)
            self.session = boto3.Session(botocore_session=own, region_name=settings.region)
            self._options = {"config": Config(**config)}
        self._clients: dict[str, Any] = {}

    def client(self, service: str, **more: Any) -> Any:
        if service not in self._clients:
            # Of the services whose types are not installed nothing is known.
            make: Callable[..., Any] = self.session.client  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            self._clients[service] = make(service, **{**self._options, **more})
        return self._clients[service]

    def knows(self, region: str) -> bool:
        """Whether AWS has such a Region, in any of its partitions, as far as the pinned client knows."""
        return any(region in self.session.get_available_regions("sts", partition) for partition in self.session.get_available_partitions())

    @property
    def cloudwatch(self) -> CloudWatchClient:
        return self.client("cloudwatch")

    @property
    def dynamodb(self) -> DynamoDBClient:
        return self.client("dynamodb")

    @property
    def events(self) -> EventBridgeClient:
        return self.client("events")

    @property
    def functions(self) -> LambdaClient:
        return self.client("lambda")

    @property
    def logs(self) -> CloudWatchLogsClient:
        return self.client("logs")

    @property
    def s3(self) -> S3Client:
        return self.client("s3")

    @property
    def sqs(self) -> SQSClient:
        return self.client("sqs")

    @property
    def ssm(self) -> SSMClient:
        return self.client("ssm")

    @property
    def sts(self) -> STSClient:
        return self.client("sts")


@contextmanager
def asking(settings: Settings) -> Generator[Api]:
    """Clients whose errors become one line."""
    import botocore.exceptions

    def refused(text: str, code: str = "") -> Refused:
        return Refused(f"ENV={settings.env}: {text}", code)

    try:
        api = Api(settings)
        if not api.knows(settings.region):
            raise refused(f"region {settings.region} does not exist.")
        if api.session.get_credentials() is None:
            raise botocore.exceptions.NoCredentialsError
        yield api
    except botocore.exceptions.NoCredentialsError:
        raise refused("no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.") from None
    except botocore.exceptions.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "?")
        if code in _EXPIRED:
            raise refused("the AWS credentials have expired: sign in again.") from None
        message = error.response.get("Error", {}).get("Message", "")
        if code in _LATER:
            said = f"ENV={settings.env}: AWS does not serve {error.operation_name} now: {code} {message}".rstrip(". ")
            raise Failed(f"{said}. Try again in a moment.", code) from None
        raise refused(f"AWS refuses {error.operation_name}: {code} {message}", "ACCESS_DENIED" if code in _DENIED else code) from None
    except (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError) as error:
        if settings.on_local_cloud:
            raise Failed(f"{settings.where} does not answer: `make deploy` starts it, with what was in it.", "UNREACHABLE") from None
        raise Failed(f"ENV={settings.env}: AWS does not answer: {str(error).splitlines()[0]}", "UNREACHABLE") from None
    except botocore.exceptions.BotoCoreError as error:
        raise refused(f"AWS cannot be used: {str(error).splitlines()[0]}") from None


def is_missing(error: Exception) -> bool:
    """Whether AWS says that there is no such thing, by the status of its answer."""
    response: Mapping[str, Any] = getattr(error, "response", {})
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404


def caller(settings: Settings) -> Identity:
    with asking(settings) as api:
        answer = api.sts.get_caller_identity()
    return {"account": answer["Account"], "arn": answer["Arn"]}


def identity(settings: Settings, given: Values) -> Identity:
    """The account of the credentials. Refuses missing credentials, and those of another account. Buckets that the environment's
    files do not name have the names that `make bootstrap` gives them."""
    found = caller(settings)
    allowed = environments.accounts(settings, given)
    if allowed and found["account"] not in allowed:
        raise Refused(f"ENV={settings.env} lives in account {' or '.join(allowed)}, but these credentials are of {found['account']}.")
    prefix = environments.prefix(settings, given)
    settings.state_bucket = settings.state_bucket or f"{prefix}-state-{found['account']}"
    settings.artifacts_bucket = settings.artifacts_bucket or f"{prefix}-artifacts-{found['account']}"
    return found


def buckets(settings: Settings) -> list[str]:
    """Which of the environment's two buckets there are."""
    from botocore.exceptions import ClientError

    present: list[str] = []
    with asking(settings) as api:
        client = api.s3
        for name in (settings.state_bucket, settings.artifacts_bucket):
            try:
                client.head_bucket(Bucket=name)
                present.append(name)
            except ClientError as error:
                if not is_missing(error):
                    raise
    return present


def require_buckets(settings: Settings) -> None:
    present = buckets(settings)
    lacking = [name for name in (settings.state_bucket, settings.artifacts_bucket) if name not in present]
    if lacking:
        raise Refused(f"there is no bucket {' and no '.join(lacking)}: run `make bootstrap ENV={settings.env}` once.")


def object_text(settings: Settings, bucket: str, key: str) -> str | None:
    """The text of an object; None if there is none."""
    with asking(settings) as api:
        client = api.s3
        try:
            return client.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        except client.exceptions.NoSuchKey:
            return None


def write_text(settings: Settings, bucket: str, key: str, text: str) -> None:
    with asking(settings) as api:
        api.s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")


def read_object(settings: Settings, key: str) -> str | None:
    """The text of an object of the artifacts bucket; None if there is none."""
    return object_text(settings, settings.artifacts_bucket, key)


def write_object(settings: Settings, key: str, text: str) -> None:
    write_text(settings, settings.artifacts_bucket, key, text)


def remove(settings: Settings, bucket: str, key: str) -> None:
    with asking(settings) as api:
        api.s3.delete_object(Bucket=bucket, Key=key)


def upload(settings: Settings) -> None:
    """Puts the artifacts that the bucket lacks into it: the key holds the hash of the content, nothing is overwritten."""
    from botocore.exceptions import ClientError

    entries: dict[str, dict[str, str]] = json.loads(settings.manifest_file.read_text(encoding="utf-8"))["functions"]
    bucket, uploaded = settings.artifacts_bucket, 0
    with Step(f"uploading artifacts to {bucket}") as step, asking(settings) as api:
        client = api.s3
        for number, entry in enumerate(entries.values()):
            step.progress(number, len(entries), "artifacts")
            try:
                client.head_object(Bucket=bucket, Key=entry["s3Key"])
                continue
            except ClientError as error:
                if not is_missing(error):
                    raise
            # The same path on whatever machine built it: the key is the path below the folder.
            with open(settings.work / "artifacts" / entry["s3Key"], "rb") as body:
                client.put_object(Bucket=bucket, Key=entry["s3Key"], Body=body, ContentType="application/zip",
                                  ChecksumSHA256=base64.b64encode(bytes.fromhex(entry["sha256"])).decode())
            uploaded += 1
        step.note = f"{uploaded} new, {len(entries) - uploaded} there already"


def queue_depths(settings: Settings, urls: Mapping[str, str]) -> dict[str, int]:
    """Messages that wait in each queue, by its name in outputs.json."""
    found: dict[str, int] = {}
    with asking(settings) as api:
        client = api.sqs
        for name, url in urls.items():
            answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            found[name] = int(answer["Attributes"]["ApproximateNumberOfMessages"])
    return found


def invoke(settings: Settings, function: str, payload: dict[str, Any]) -> Any:
    """What a function answers."""
    with asking(settings) as api:
        answer = api.functions.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        body = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        raise Failed(f"{function} failed: {body}", "FUNCTION_ERROR")
    return body


def aliases(settings: Settings, alias: str, functions: list[str]) -> dict[str, Alias]:
    """Where each function's alias is; without those that have none."""
    found: dict[str, Alias] = {}
    with asking(settings) as api:
        client = api.functions
        for name in functions:
            try:
                state = client.get_alias(FunctionName=name, Name=alias)
            except client.exceptions.ResourceNotFoundException:
                continue
            pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
            versions = [version.get("Version", "") for page in pages for version in page["Versions"]]
            routing: dict[str, Any] = dict(state.get("RoutingConfig") or {})
            found[name] = {"version": state["FunctionVersion"], "weights": routing.get("AdditionalVersionWeights") or {},
                           "newest": str(max(int(version) for version in versions if version.isdigit()))}
    return found


def move_aliases(settings: Settings, alias: str, moves: list[Move]) -> None:
    """Puts aliases on versions, with the weights of other versions."""
    with asking(settings) as api:
        client = api.functions
        for one in moves:
            client.update_alias(FunctionName=one["name"], Name=alias, FunctionVersion=one["version"],
                                RoutingConfig={"AdditionalVersionWeights": one["weights"]})


def prune_versions(settings: Settings, functions: list[str], keep: int) -> int:
    """Deletes published versions of the functions, and returns how many. The newest `keep` of each stay, and all that an alias leads to."""
    deleted = 0
    with asking(settings) as api:
        client = api.functions
        for name in functions:
            used: set[str] = set()
            for page in client.get_paginator("list_aliases").paginate(FunctionName=name):
                for alias in page["Aliases"]:
                    routing: dict[str, Any] = dict(alias.get("RoutingConfig") or {})
                    used |= {alias.get("FunctionVersion", ""), *(routing.get("AdditionalVersionWeights") or {})}
            pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
            versions = sorted(int(found) for page in pages for version in page["Versions"] if (found := version.get("Version", "")).isdigit())
            for version in versions[:-keep]:
                if str(version) not in used:
                    client.delete_function(FunctionName=name, Qualifier=str(version))
                    deleted += 1
    return deleted


def rollback_alarms(settings: Settings, prefix: str) -> dict[str, str]:
    """State of each alarm that says a release is bad, by name."""
    with asking(settings) as api:
        pages = api.cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=prefix, AlarmTypes=["CompositeAlarm"])
        return {alarm.get("AlarmName", ""): alarm.get("StateValue", "") for page in pages for alarm in page["CompositeAlarms"]
                if alarm.get("AlarmName", "").endswith("-rollback")}


def parameters(settings: Settings, path: str) -> dict[str, str]:
    """The parameters of SSM below a path, by name."""
    with asking(settings) as api:
        pages = api.ssm.get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
        return {found.get("Name", ""): found.get("Value", "") for page in pages for found in page["Parameters"]}
