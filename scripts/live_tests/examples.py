"""An example of infra/examples, applied beside the deployment of HOLDFAST_WORK_DIR as a user applies it: from a copy."""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARCH = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def _run(command, folder, environ):
    ran = subprocess.run(command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, (command, ran.stdout[-4000:], ran.stderr[-4000:])
    return ran.stdout


@contextlib.contextmanager
def applied(example, known, binary, **variables):
    """Builds the release of an example with the binary of its Rust handler, applies it, and destroys it at the end. Yields its outputs and the text
    of Terraform's state, in which no secret may be."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "example"
        shutil.copytree(ROOT / "infra" / "examples" / example, folder, ignore=shutil.ignore_patterns("node_modules", "target", ".terraform*"))
        shutil.copy(ROOT / "infra" / "stacks" / "platform" / ".terraform.lock.hcl", folder)
        main = folder / "main.tf"
        # The two slashes tell Terraform that the modules belong together.
        main.write_text(main.read_text(encoding="utf-8").replace("../../modules", f"{ROOT}/infra//modules"), encoding="utf-8")
        _run([sys.executable, "-B", folder / "build.py", Path(work) / "release", ARCH, binary], work, os.environ)
        given = {"local_endpoint": known["awsEndpointUrl"], "release_manifest": str(Path(work) / "release" / "release.json"), **variables}
        (folder / "terraform.tfvars.json").write_text(json.dumps(given), encoding="utf-8")
        environ = {**os.environ, "AWS_ENDPOINT_URL": known["awsEndpointUrl"], "AWS_REGION": known["region"],
                   "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "TF_IN_AUTOMATION": "1"}

        def terraform(*words):
            return _run(["terraform", *words], folder, environ)

        terraform("init", "-input=false", "-no-color")
        try:
            terraform("apply", "-input=false", "-auto-approve", "-no-color")
            outputs = {name: output["value"] for name, output in json.loads(terraform("output", "-json")).items()}
            yield outputs, (folder / "terraform.tfstate").read_text(encoding="utf-8")
        finally:
            terraform("destroy", "-input=false", "-auto-approve", "-no-color")
