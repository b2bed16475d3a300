#!/usr/bin/env bash
# Applies and destroys examples on a local cloud of its own, on a free port, and prints the seconds each took.
#   infra/examples.sh                           every example of every module, and infra/examples
#   infra/examples.sh modules/sqs-queue         those below these folders
# Needs terraform and the pinned tools (make tools). Works on a copy in a temporary folder; stops what it started, by its
# process id. What an example needs beside it (its folder `surroundings`) is applied first, and its outputs become the example's variables. JOBS sets how many run at once (default 2). The exit code says whether anything failed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Applies what must exist before the example in this folder. It ends with the local cloud.
surround() {
  cp .terraform.lock.hcl surroundings &&
    terraform -chdir=surroundings init -backend=false -input=false -no-color &&
    terraform -chdir=surroundings apply -auto-approve -input=false -no-color &&
    terraform -chdir=surroundings output -json |
    python3 -c 'import json, sys; print(json.dumps({name: output["value"] for name, output in json.load(sys.stdin).items()}))' >surroundings.auto.tfvars.json
}

# One example: "<seconds> <folder>", or what went wrong.
one() {
  local work=$1 folder=$2 log="$1/${2//\//_}.log" began=$SECONDS step
  cd "$work/infra/$folder"
  if [[ -d surroundings ]] && ! surround >>"$log" 2>&1; then
    printf '%4d s  FAILED  %s (surroundings)\n' $((SECONDS - began)) "$folder"
    grep -A 12 '^Error' "$log" | head -40
    echo "$folder" >>"$work/failed"
    return 0
  fi
  # Destroyed as it was applied: the local cloud forgets the prefix list of a rule, and the provider fails to plan that.
  for step in "init -backend=false" "apply -auto-approve" "destroy -auto-approve -refresh=false"; do
    # shellcheck disable=SC2086 # two words on purpose
    if ! terraform $step -input=false -no-color >>"$log" 2>&1; then
      printf '%4d s  FAILED  %s (terraform %s)\n' $((SECONDS - began)) "$folder" "${step%% *}"
      grep -A 12 '^Error' "$log" | head -40
      # Nothing that was made may be in the way of another example.
      terraform destroy -auto-approve -input=false -no-color >>"$log" 2>&1 || true
      echo "$folder" >>"$work/failed"
      return 0
    fi
  done
  # What is destroyed must have been made: an example without resources shows nothing.
  if ! grep -qE 'Apply complete! Resources: [1-9]' "$log"; then
    echo "$folder" >>"$work/failed"
    printf '%4d s  FAILED  %s (made nothing)\n' $((SECONDS - began)) "$folder"
    return 0
  fi
  printf '%4d s  %s (%s)\n' $((SECONDS - began)) "$folder" "$(grep -oE '[0-9]+ added' "$log" | head -1)"
}
if [[ "${1:-}" == --one ]]; then
  one "$2" "$3"
  exit 0
fi

tools=${HOLDFAST_TOOLS:-$here/../.tools}
for tool in terraform python3; do
  command -v "$tool" >/dev/null || { echo "examples.sh: $tool is missing: install it and try again" >&2; exit 2; }
done
[[ -x "$tools/bin/ministack" ]] || { echo "examples.sh: the local cloud is missing: run \`make tools\` first" >&2; exit 2; }

work=$(mktemp -d)
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
find "$work/infra" -name .terraform -prune -exec rm -rf {} +
mkdir -p "$work/cloud/tmp"

# A zip that can be deployed, and the manifest of a release made of it.
python3 -B - "$work" "$work"/infra/modules/service/examples/*/functions.json "$work"/infra/examples/*/functions.json <<'PY'
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
env -i PATH="$PATH" HOME="$work/cloud" TMPDIR="$work/cloud/tmp" PYTHONPATH="$here/../scripts/local" PYTHONDONTWRITEBYTECODE=1 \
  AUTH=true GATEWAY_PORT="$port" BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 AWS_ENDPOINT_URL="$endpoint" \
  AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 \
  "$tools/bin/ministack" >"$work/cloud.log" 2>&1 &
cloud=$!
for _ in $(seq 1 300); do
  if python3 -c "import urllib.request as r; r.build_opener(r.ProxyHandler({})).open('$endpoint/_ministack/health', timeout=2)" 2>/dev/null; then break; fi
  kill -0 "$cloud" 2>/dev/null || { echo "examples.sh: the local cloud ended at once:" >&2; tail -5 "$work/cloud.log" >&2; exit 1; }
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

cd "$work/infra"
examples=()
for folder in modules/*/examples/* examples/*; do
  [[ -f "$folder/main.tf" ]] || continue
  if (($# > 0)); then
    wanted=false
    for below in "$@"; do [[ "$folder/" != "${below%/}/"* ]] || wanted=true; done
    $wanted || continue
  fi
  cp stacks/platform/.terraform.lock.hcl "$folder"
  examples+=("$folder")
done
((${#examples[@]} > 0)) || { echo "examples.sh: no example below $*" >&2; exit 2; }
# The function of the stack sessions, which the examples of session-authorizer attach to an API.
shared=$work/infra/shared
mkdir "$shared"
cp stacks/platform/.terraform.lock.hcl "$shared"
cat >"$shared/main.tf" <<'TF'
variable "zip_file" {}
variable "zip_sha256" {}

module "authorizer" {
  source = "../modules/lambda-function"

  name        = "example-sessions-authorizer"
  artifact    = { sha256 = var.zip_sha256, filename = var.zip_file }
  environment = { SESSIONS_TABLE = "example-sessions" }
}

output "authorizer" {
  value = { name = module.authorizer.name, qualifier = module.authorizer.qualifier, invoke_arn = module.authorizer.invoke_arn }
}

output "authorizer_instance" {
  value = module.authorizer.definition
}
TF
for step in "init -backend=false" "apply -auto-approve"; do
  # shellcheck disable=SC2086 # two words on purpose
  terraform -chdir="$shared" $step -input=false -no-color >>"$work/shared.log" 2>&1 || { echo "examples.sh: the shared authorizer cannot be made:" >&2; tail -20 "$work/shared.log" >&2; exit 1; }
done
TF_VAR_authorizer=$(terraform -chdir="$shared" output -json authorizer)
TF_VAR_authorizer_instance=$(terraform -chdir="$shared" output -json authorizer_instance)
export TF_VAR_authorizer TF_VAR_authorizer_instance

# The first one alone where nothing is cached yet: Terraform does not lock the cache of plugins.
if [[ -z "$(ls -A "$TF_PLUGIN_CACHE_DIR")" ]]; then terraform -chdir="${examples[0]}" init -backend=false -input=false >/dev/null; fi

printf '%s\0' "${examples[@]}" | xargs -0 -n 1 -P "${JOBS:-2}" "$here/examples.sh" --one "$work"
failed=0
[[ ! -e "$work/failed" ]] || failed=$(wc -l <"$work/failed")
echo "$((${#examples[@]} - failed)) applied and destroyed, $failed failed (${SECONDS} s)"
((failed == 0))
