"""The environment variables that commands run with: the caller's credentials are for AWS only."""

from __future__ import annotations

import os

from holdfast_cli.core.settings import ROOT, Settings

# What would change a Terraform run behind this tool's back; where providers come from (TF_CLI_CONFIG_FILE) is left alone.
_TERRAFORM = ("TF_VAR_", "TF_CLI_ARGS", "TF_WORKSPACE", "TF_DATA_DIR")
# Cargo takes these flags in place of RUSTFLAGS, which a release needs.
_CARGO = ("CARGO_ENCODED_RUSTFLAGS",)
# Bypass the user's proxy for loopback addresses.
DIRECT = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def clean() -> dict[str, str]:
    """The caller's environment without anything that could reach their AWS account."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", *_TERRAFORM, *_CARGO))}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def of(settings: Settings) -> dict[str, str]:
    """What commands for this environment run with."""
    if settings.is_local:
        return clean()
    if settings.rehearsal:
        # Whatever asks for AWS gets the local cloud: the state of Terraform, too.
        role = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), settings.credentials, strict=False))
        return {**clean(), **role, "AWS_ENDPOINT_URL": settings.endpoint, **DIRECT}
    kept = {k: v for k, v in os.environ.items() if not k.startswith((*_TERRAFORM, *_CARGO))}
    return {**kept, "AWS_REGION": settings.region, "AWS_DEFAULT_REGION": settings.region}


def path_with_tools(settings: Settings) -> str:
    return os.pathsep.join([str(settings.tools / "bin"), str(ROOT / "scripts" / "compiler"), os.environ.get("PATH", "")])
