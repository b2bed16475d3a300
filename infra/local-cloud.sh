#!/usr/bin/env bash
# What examples.sh and switches.sh share; they source it. A local cloud of its own on a free port, a copy of this folder, a
# zip that can be deployed, and the environment in which Terraform uses them. Expects `here` (this folder) and `work` (an empty
# one, which is removed at the end). What it started is stopped, by its process id, when the script ends.
#   source local-cloud.sh <name of the script> <catalogue of functions for the release>...
set -euo pipefail

me=$1 work=${work:?}
shift

tools=${HOLDFAST_TOOLS:-$here/../.tools}
for tool in terraform python3; do
  command -v "$tool" >/dev/null || { echo "$me: $tool is missing: install it and try again" >&2; exit 2; }
done
[[ -x "$tools/bin/ministack" ]] || { echo "$me: the local cloud is missing: run \`make tools\` first" >&2; exit 2; }

cloud=
finish() {
  if [[ -n "$cloud" ]]; then
    kill "$cloud" 2>/dev/null || true
    wait "$cloud" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

cp -R "$here" "$work/infra"
mkdir "$work/services"
cp "$here/../services/functions.json" "$work/services"
find "$work/infra" -name .terraform -prune -exec rm -rf {} +
mkdir -p "$work/cloud/tmp"

# A zip that can be deployed, and the manifest of a release made of it.
python3 -B - "$work" "$@" <<'PY'
import hashlib, json, os, sys, zipfile

work, catalogues = sys.argv[1], [path for path in sys.argv[2:] if os.path.exists(path)]
name = os.path.join(work, "function.zip")
with zipfile.ZipFile(name, "w") as archive:
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    archive.writestr(entry, "#!/bin/sh\nexit 1\n")
digest = hashlib.sha256(open(name, "rb").read()).hexdigest()
keys = {key for path in catalogues for key in json.load(open(path))}
functions = {key: {"sha256": digest, "file": name, "s3Key": f"{key}/{digest}.zip"} for key in sorted(keys)}
with open(os.path.join(work, "release.json"), "w") as file:
    json.dump({"version": "example", "arch": "arm64", "functions": functions}, file)
with open(os.path.join(work, "function.sha256"), "w") as file:
    file.write(digest)
PY

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
endpoint=http://127.0.0.1:$port
env -i PATH="$PATH" HOME="$work/cloud" TMPDIR="$work/cloud/tmp" PYTHONPATH="$here/../scripts/local" PYTHONDONTWRITEBYTECODE=1 HOLDFAST_IAM_REQUESTS=1 \
  AUTH=true GATEWAY_PORT="$port" BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 AWS_ENDPOINT_URL="$endpoint" \
  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 \
  "$tools/bin/ministack" >"$work/cloud.log" 2>&1 &
cloud=$!
for _ in $(seq 1 300); do
  if python3 -c "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('$endpoint/_ministack/health', timeout=2)" 2>/dev/null; then break; fi
  kill -0 "$cloud" 2>/dev/null || { echo "$me: the local cloud ended at once:" >&2; tail -5 "$work/cloud.log" >&2; exit 1; }
  sleep 0.1
done

# No request can reach AWS: the address is given, and the credentials are the local cloud's.
unset AWS_PROFILE AWS_SESSION_TOKEN
export AWS_ENDPOINT_URL=$endpoint AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
export TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1
# The provider comes from where `make test` takes it: a tree that lies on this machine, or the registry. It is fetched once.
providers=$(PYTHONPATH="$here/../scripts" python3 -B -m holdfast_cli.local.providers "$work")
eval "$providers"
TF_VAR_zip_sha256=$(<"$work/function.sha256")
export TF_VAR_zip_sha256 TF_VAR_zip_file=$work/function.zip TF_VAR_release_manifest=$work/release.json TF_VAR_deny_insecure_transport=false
