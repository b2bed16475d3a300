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

work=$(mktemp -d)
# shellcheck source=/dev/null
source "$here/local-cloud.sh" examples.sh "$here"/modules/service/examples/*/functions.json "$here"/examples/*/functions.json

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
# What the example own-identity takes from its provider, and from the stack sessions.
export TF_VAR_issuer_url=https://id.example.com TF_VAR_client_id=shop TF_VAR_app_url=https://app.example.com/
TF_VAR_create_session_policy=$(
  cat <<'JSON'
{"Statement": [{"Action": ["lambda:InvokeFunction"], "Resource": ["arn:aws:lambda:us-east-1:000000000000:function:example-sessions-create:live"]}]}
JSON
)
export TF_VAR_create_session_policy

# The first one alone where nothing is cached yet: Terraform does not lock the cache of plugins.
if [[ -z "$(ls -A "$TF_PLUGIN_CACHE_DIR")" ]]; then terraform -chdir="${examples[0]}" init -backend=false -input=false >/dev/null; fi

printf '%s\0' "${examples[@]}" | xargs -0 -n 1 -P "${JOBS:-2}" "$here/examples.sh" --one "$work"
failed=0
[[ ! -e "$work/failed" ]] || failed=$(wc -l <"$work/failed")
echo "$((${#examples[@]} - failed)) applied and destroyed, $failed failed (${SECONDS} s)"
((failed == 0))
