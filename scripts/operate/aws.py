"""What a deploy to AWS needs besides Terraform: its inputs, somebody's credentials, the artifacts in their bucket."""

import json
import os
import subprocess

import cloud
import run
import tfvars
from say import Failed, Refused, Step
from settings import ROOT

_CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "aws_client.py")


# A proxy of the caller's has no business between this machine and itself.
_DIRECT = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def read(file, what):
    """The assignments of an input file of the environment, or one line that names it."""
    name = file.relative_to(ROOT)
    try:
        return tfvars.assignments(file.read_text(encoding="utf-8"))
    except OSError:
        raise Refused(f"{name} is missing: it holds {what}.") from None
    except ValueError as trouble:
        raise Refused(f"{name}: {trouble}.") from None


def inputs(settings):
    """Checks the files of an AWS environment and fills in what the settings take from them."""
    values = read(settings.tfvars_file, f"the values of ENV={settings.env}")
    backend = read(settings.backend_file, f"where the state of ENV={settings.env} is")
    settings.region = settings.variables.get("region") or tfvars.string(values.get("region")) or settings.region
    settings.artifacts_bucket = settings.variables.get("artifacts_bucket") or tfvars.string(values.get("artifacts_bucket")) or ""
    settings.state_bucket = tfvars.string(backend.get("bucket")) or ""
    settings.cache = settings.cache or tfvars.string(values.get("cache_provider")) or "dynamodb"
    if settings.delete_only is None:
        settings.delete_only = values.get("redis_delete_only") == "true"
    return values


def _client(settings, *arguments):
    """Runs aws_client.py with the Python of .tools, which has botocore; its answer, or its one line of trouble."""
    process = run.start(
        [str(settings.tools / "bin" / "python"), "-B", _CLIENT, settings.region, *map(str, arguments)],
        # The local cloud, where that is what the environment is on.
        env={**cloud.environment(settings), **({"AWS_ENDPOINT_URL": settings.endpoint, **_DIRECT} if settings.endpoint else {})}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    output, trouble = process.communicate()
    code = run.finish(process)
    if code == 2:
        raise Refused(f"ENV={settings.env}: {trouble.strip()}")
    if code:
        raise Failed((trouble.strip().splitlines() or ["no message"])[-1])
    return json.loads(output)


def identity(settings, values):
    """Whose credentials these are; refused if they are nobody's, or those of another account. Buckets that the environment's
    files do not name have the names that `make bootstrap` gives them."""
    found = _client(settings, "identity")
    allowed = accounts(settings, values)
    if allowed and found["account"] not in allowed:
        raise Refused(f"ENV={settings.env} lives in account {' or '.join(allowed)}, but these credentials are of {found['account']}.")
    prefix = tfvars.string(values.get("name_prefix")) or f"holdfast-{settings.env}"
    settings.state_bucket = settings.state_bucket or f"{prefix}-state-{found['account']}"
    settings.artifacts_bucket = settings.artifacts_bucket or f"{prefix}-artifacts-{found['account']}"
    return found


def accounts(settings, values):
    """The accounts that an environment may live in; none: in any."""
    chosen = settings.variables.get("allowed_account_ids")
    return chosen.split(",") if chosen else tfvars.strings(values.get("allowed_account_ids"))


def require_account(settings, values, found):
    """Refuses what makes or changes an environment whose account nobody has named: any credentials would do."""
    if not settings.on_local_cloud and not accounts(settings, values):
        raise Refused(f"ENV={settings.env} names no account: if it is that of these credentials, write allowed_account_ids = [\"{found['account']}\"] "
                      f"into {settings.tfvars_file.relative_to(ROOT)}.")


def target(settings, role):
    """Region and role of a pipeline, as lines for $GITHUB_OUTPUT: all of it is in the environment's file."""
    values = inputs(settings)
    accounts = tfvars.strings(values.get("allowed_account_ids"))
    if len(accounts) != 1:
        raise Refused(f"{settings.tfvars_file.relative_to(ROOT)} must name one account in allowed_account_ids: pipelines deploy to it.")
    if role not in ("plan", "deploy"):
        raise Refused(f"ROLE={role}: there is plan and deploy.")
    prefix = tfvars.string(values.get("name_prefix")) or f"holdfast-{settings.env}"
    return [f"region={settings.region}", f"role=arn:aws:iam::{accounts[0]}:role/{prefix}-{role}"]


def buckets(settings):
    """Which of the environment's two buckets there are."""
    return _client(settings, "buckets", settings.state_bucket, settings.artifacts_bucket)["present"]


def require_buckets(settings):
    lacking = [name for name in (settings.state_bucket, settings.artifacts_bucket) if name not in buckets(settings)]
    if lacking:
        raise Refused(f"there is no bucket {' and no '.join(lacking)}: run `make bootstrap ENV={settings.env}` once.")


def read_object(settings, key):
    """The text of an object of the artifacts bucket; None if there is none."""
    return object_text(settings, settings.artifacts_bucket, key)


def write_object(settings, key, text):
    write_text(settings, settings.artifacts_bucket, key, text)


def object_text(settings, bucket, key):
    return _client(settings, "read", bucket, key)["text"]


def write_text(settings, bucket, key, text):
    _client(settings, "write", bucket, key, text)


def queue_depths(settings, urls):
    """Messages that wait in each queue, by its name in outputs.json."""
    return _client(settings, "depths", json.dumps(urls))


def invoke(settings, function, payload):
    """What a function answers."""
    return _client(settings, "invoke", function, json.dumps(payload))


def aliases(settings, alias, functions):
    """Where each function's alias is: {version, weights, newest}; without those that have none."""
    return _client(settings, "aliases", alias, json.dumps(functions))


def move_aliases(settings, alias, moves):
    """Puts aliases on versions: a list of {name, version, weights of other versions}."""
    _client(settings, "move", alias, json.dumps(moves))


def rollback_alarms(settings, prefix):
    """State of each alarm that says a release is bad, by name."""
    return _client(settings, "alarms", prefix)


def remove(settings, bucket, key):
    _client(settings, "remove", bucket, key)


def upload(settings):
    """Puts the artifacts that the bucket lacks into it: the key holds the hash of the content, nothing is overwritten."""
    with Step(f"uploading artifacts to {settings.artifacts_bucket}") as step:
        answer = _client(settings, "upload", settings.manifest_file, settings.work / "artifacts", settings.artifacts_bucket)
        step.note = f"{answer['uploaded']} new, {answer['present']} there already"
