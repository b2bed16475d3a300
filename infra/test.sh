#!/usr/bin/env bash
# Checks all Terraform offline: format, READMEs, generated declarations, validation, tests with a mocked provider.
#   infra/test.sh                     everything
#   infra/test.sh modules/sqs-queue   only these folders
#   infra/test.sh --modules           only the tests of all modules
#   infra/test.sh --validate          without the tests (fast)
# Works on a copy in a temporary folder: nothing is left behind. JOBS sets how many folders are tested at once (default 2).
# Says how many seconds it took; with MAX_SECONDS, more than those are a failure. The last line is `N passed, N failed`; the exit code says whether anything failed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for tool in terraform python3; do
  command -v "$tool" >/dev/null || { echo "test.sh: $tool is missing: install it and try again" >&2; exit 2; }
done

# Tests of one folder: prints its report, leaves "<passed> <failed>" in <folder>/.result.
one() {
  local folder=$1 passed=0 failed=0 log=$work/${1//\//_}.log
  cd "$work/infra/$folder"
  if ! terraform init -backend=false -input=false -no-color >"$log" 2>&1; then
    failed=1
  elif ! terraform test -no-color >"$log" 2>&1 || grep -q '^Warning' "$log"; then
    failed=1
  fi
  if [[ $(grep -E '^(Success|Failure)! ' "$log") =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)? ]]; then
    passed=${BASH_REMATCH[1]}
    # A run that is skipped because one before it failed has not passed.
    if ((BASH_REMATCH[2] > 0)); then failed=$((BASH_REMATCH[2] + ${BASH_REMATCH[4]:-0})); fi
  elif ((failed == 0)); then
    failed=1
  fi
  ((failed == 0)) || grep -vE '\.\.\. (pass|in progress|tearing down)$' "$log" || true
  printf '%-26s %3d passed, %d failed\n' "$folder" "$passed" "$failed"
  echo "$passed $failed" >.result
}
if [[ "${1:-}" == --one ]]; then
  work=$2
  one "$3"
  exit 0
fi

work=$(mktemp -d)
unset TF_REATTACH_PROVIDERS
finish() {
  if [[ -s "$work/served" ]]; then
    eval "$(<"$work/served")"
    kill "$HOLDFAST_PROVIDER_PID" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

tests=true checks=true
case "${1:-}" in
  --validate) tests=false && shift ;;
  --modules) checks=false && shift ;;
esac

passed=0
failed=0
step() { # description, command…
  local description=$1
  shift
  if "$@" >"$work/step.log" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    cat "$work/step.log"
    description+=": FAILED"
  fi
  echo "$description"
}

static() {
  step 'terraform fmt' terraform -chdir="$here" fmt -check -recursive -diff
  step 'READMEs are current, validations tested' python3 -B "$here/docs.py" --check
  step 'declarations of the stacks are current' env PYTHONPATH="$here/../scripts" python3 -B -m holdfast_cli.generate.declarations "$here"
}
if $checks; then static; fi

mkdir -p "$work/services"
cp -R "$here" "$work/infra"
cp "$here/../services/functions.json" "$work/services/"
find "$work/infra" -name .terraform -prune -exec rm -rf {} +
# Modules have no lock file of their own: the stacks' keeps them to the same provider.
for folder in "$work"/infra/modules/*/ "$work"/infra/examples/*/; do cp "$here/stacks/platform/.terraform.lock.hcl" "$folder"; done

# The provider comes from where `make test` takes it: a tree that lies on this machine, or the registry. It is fetched once.
providers=$(PYTHONPATH="$here/../scripts" python3 -B -m holdfast_cli.local.providers "$work")
eval "$providers"
# One process of the provider serves all tests (TF_REATTACH_PROVIDERS): else each run of a test starts its own. `terraform init` has put it into the folder.
serve() {
  ! $tests || PYTHONPATH="$here/../scripts" python3 -B -m holdfast_cli.local.providers --serve "$1" "$work/provider.log" >"$work/served"
}
# Less garbage collection: the provider's schema is large.
export TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1 GOGC=${GOGC:-400}
# Neither a caller's credentials nor endpoints are used, even by mistake.
unset AWS_PROFILE AWS_ENDPOINT_URL
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_EC2_METADATA_DISABLED=true AWS_REGION=us-east-1

# One root that calls every stack and every example (and so every module): one validation instead of dozens.
everything() {
  local root=$work/infra/everything folder variable
  mkdir "$root"
  cp "$here/stacks/platform/.terraform.lock.hcl" "$root"
  for folder in stacks/* modules/*/examples/* examples/*; do
    # Only a root has a backend, and the examples' provider is the root's.
    sed -i.bak -e '/^  backend "s3" {}$/d' -e '/^provider "aws" {}$/d' "$folder"/*.tf
    printf 'module "%s" {\n  source = "../%s"\n' "${folder//\//_}" "$folder"
    # Values are unknown while validating, so what is required need not have any.
    for variable in $(python3 -B "$here/docs.py" --required "$folder"); do
      printf '  %s = var.%s\n' "$variable" "$variable"
      echo "variable \"$variable\" {}" >>"$root/variables.all"
    done
    printf '}\n'
  done >"$root/main.tf"
  sort -u "$root/variables.all" >"$root/variables.tf"
  terraform -chdir="$root" init -backend=false -input=false -no-color >"$work/init.log" 2>&1 || { cat "$work/init.log"; return 1; }
  serve "$root"
  terraform -chdir="$root" validate -no-color >"$work/validate.log" 2>&1 || { cat "$work/validate.log"; return 1; }
  if grep '^Warning' "$work/validate.log"; then cat "$work/validate.log"; return 1; fi
}
if $checks; then
  (cd "$work/infra" && step 'terraform validate: every stack, every example, every module' everything && echo "$passed $failed" >"$work/steps")
  read -r passed failed <"$work/steps"
fi

folders=()
if $tests; then
  if (($# > 0)); then
    folders=("$@")
  else
    for folder in "$here"/modules/* "$here"/stacks/* "$here"/examples/*; do
      [[ $folder != "$here/modules/"* ]] && ! $checks || folders+=("${folder#"$here"/}")
    done
  fi
  for folder in "${folders[@]}"; do
    [[ -d "$here/$folder/tests" ]] || { echo "test.sh: $folder has no tests" >&2; exit 2; }
  done
  # What fails here fails below, and is said there.
  if ! $checks; then terraform -chdir="$work/infra/${folders[0]}" init -backend=false -input=false >/dev/null 2>&1 && serve "$work/infra/${folders[0]}" || true; fi
  if [[ -s "$work/served" ]]; then eval "$(<"$work/served")"; fi
  printf '%s\0' "${folders[@]}" | xargs -0 -r -n 1 -P "${JOBS:-2}" "$here/test.sh" --one "$work" || true
fi

for folder in "${folders[@]}"; do
  ok=0 bad=1
  [[ ! -e "$work/infra/$folder/.result" ]] || read -r ok bad <"$work/infra/$folder/.result"
  passed=$((passed + ok))
  failed=$((failed + bad))
done
took=$SECONDS
echo "${#folders[@]} folders tested, $took s"
if [[ -n "${MAX_SECONDS:-}" ]] && ((took > MAX_SECONDS)); then
  failed=$((failed + 1))
  echo "test.sh: took longer than MAX_SECONDS=$MAX_SECONDS"
fi
echo "$passed passed, $failed failed"
((failed == 0))
