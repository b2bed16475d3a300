#!/usr/bin/env bash
# Applies every stack in the form that AWS gets (no local_endpoint) on a local cloud of its own, and then each switch of an
# environment, twice: the cache on and off, domain names, an edge, an alias that the deploy moves. Each apply has the
# credentials of the role `deploy` that the stack bootstrap makes for pipelines, and no others; each role that it makes has
# the permissions boundary.
# The second apply of each must change nothing, except resources of four types, of which the local cloud forgets attributes.
#   infra/switches.sh                 all of them
#   infra/switches.sh cache-made cache-deleting
#                                     a first apply, and then these, in this order
#   infra/switches.sh key             a first apply with a key of the environment (kms_mode = "cmk"), and then the switches after it.
#                                     The local cloud cannot give a key to a log group that exists, so the key is no switch here.
# Needs terraform and the pinned tools (make tools). The functions are zips without code: what is applied is tried here, not
# what it does. The exit code says whether anything failed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
me=switches.sh
known=(first key cache-made cache-deleting cache cache-deleting-again cache-left cache-off domain edge edge-off domain-off unaliased deployer unaliased-again terraform)
for name in "$@"; do
  [[ " ${known[*]} " == *" $name "* && ($name != key || $1 == key) ]] || { echo "$me: there is no switch $name: use ${known[*]:2}, or key before them" >&2; exit 2; }
done
work=$(mktemp -d)
# shellcheck source=/dev/null
source "$here/local-cloud.sh" "$me" "$here/../services/functions.json"

# Alarms, the authentication of a cache's user, and the options of flow logs and endpoints.
forgotten='\.?aws_(cloudwatch_(metric|composite)_alarm|elasticache_user|flow_log|vpc_endpoint)\.'
secret=$(printf 'x%.0s' {1..43})
digest=$(printf %s "$secret" | sha256sum | cut -d' ' -f1)

# What an environment on AWS has before its first deploy: a hosted zone of its domain names, what the stack bootstrap makes,
# and the artifacts of the release in a bucket of it. An administrator makes all three.
mkdir "$work/zone" "$work/artifacts"
for folder in zone artifacts; do
  cp "$work/infra/stacks/platform/.terraform.lock.hcl" "$work/$folder"
  printf 'provider "aws" {\n  s3_use_path_style = true\n}\n' >"$work/$folder/provider.tf"
done
cat >"$work/zone/main.tf" <<'TF'
resource "aws_route53_zone" "this" {
  name = "example.com"
}

output "zone" {
  value = aws_route53_zone.this.zone_id
}
TF
cat >"$work/artifacts/main.tf" <<'TF'
variable "release_manifest" {}

variable "bucket" {}

resource "aws_s3_object" "artifact" {
  for_each = jsondecode(file(var.release_manifest)).functions

  bucket = var.bucket
  key    = each.value.s3Key
  source = each.value.file
}
TF
# As the administrator: folder, options of the apply…
administer() {
  local folder=$1
  shift
  if ! terraform -chdir="$folder" init -input=false -no-color >"$work/before.log" 2>&1 ||
    ! terraform -chdir="$folder" apply -auto-approve -input=false -no-color "$@" >"$work/before.log" 2>&1; then
    echo "$me: $(basename "$folder") cannot be applied:" >&2
    tail -20 "$work/before.log" >&2
    exit 1
  fi
}
administer "$work/zone"
zone=$(terraform -chdir="$work/zone" output -raw zone)
printf 'terraform {\n  backend "local" {}\n}\n' >"$work/infra/stacks/bootstrap/backend_override.tf"
administer "$work/infra/stacks/bootstrap" -var=env=switches -var=region=us-east-1 -var=github_repository=example/holdfast -var="hosted_zone_ids=[\"$zone\"]"
bucket=$(terraform -chdir="$work/infra/stacks/bootstrap" output -raw artifacts_bucket)
administer "$work/artifacts" -var="bucket=$bucket"

# The credentials of the role `deploy`, as a job of the environment gets them.
# shellcheck disable=SC2154 # local-cloud.sh sets it
credentials=$(PYTHONPATH="$here/../scripts" "$tools/bin/python" -B -m holdfast_cli.verify.pipeline_role switches \
  "$(terraform -chdir="$work/infra/stacks/bootstrap" output -json pipeline_role_arns | python3 -c 'import json, sys; print(json.load(sys.stdin)["deploy"])')")
eval "$credentials"

domain="http_domain={name=\"api.example.com\",site=\"example.com\",hosted_zone_id=\"$zone\"} websocket_domain={name=\"ws.example.com\",hosted_zone_id=\"$zone\"} allowed_origins=[\"https://app.example.com\"]"
edge="$domain trusted_proxy=cloudfront origin_secret_sha256=$digest edge={} edge_origin_secret=$secret"
# The variables of each, beside those that all have.
values() {
  case $1 in
    cache-deleting | cache-deleting-again) echo "cache_provider=redis redis_delete_only=true" ;;
    cache) echo "cache_provider=redis" ;;
    # As `make deploy` does it: the network exists before functions enter it, and after they have left it.
    cache-made | cache-left) echo "redis_keep=true" ;;
    domain | edge-off) echo "$domain" ;;
    edge) echo "$edge" ;;
    # Two owners cannot have an alias of one name at once (docs/upgrading.md).
    unaliased | unaliased-again) echo "alias_owner=none" ;;
    deployer) echo "alias_owner=deployer" ;;
    *) echo "" ;;
  esac
}

# One stack with these variables: prints what changed, or the error.
apply() {
  local stack=$1 log="$work/$1.log" given=() value
  shift
  for value in env=switches "region=us-east-1" "release_manifest=$work/release.json" "artifacts_bucket=$bucket" "$@"; do
    if grep -q "^variable \"${value%%=*}\"" "$work/infra/stacks/$stack"/*.tf; then given+=("-var=$value"); fi
  done
  if ! terraform -chdir="$work/infra/stacks/$stack" apply -auto-approve -refresh=false -input=false -no-color -parallelism=20 "${given[@]}" >"$log" 2>&1; then
    grep -A 14 '^Error' "$log" | head -60
    return 1
  fi
  grep -oE '[0-9]+ added, [0-9]+ changed, [0-9]+ destroyed' "$log" | head -1
}

cd "$work/infra"
# The local cloud speaks plain HTTP, which queues and the bus refuse on AWS.
sed -i.before 's/deny_insecure_transport\( *\)= !module.context.is_local/deny_insecure_transport\1= false/' stacks/*/main.tf
for stack in platform auth sessions push events; do
  printf 'terraform {\n  backend "local" {}\n}\n' >"stacks/$stack/backend_override.tf"
  terraform -chdir="stacks/$stack" init -input=false -no-color >"$work/$stack.log" 2>&1 || { cat "$work/$stack.log" >&2; exit 1; }
done

names=(first "$@")
(($# > 0)) || names=(first "${known[@]:2}")
with_key=()
if [[ "${1:-}" == key ]]; then
  # Of every apply that follows. The local cloud forgets the key of a cache. So each apply changes the cache, its address, and the
  # function that gets the address in the same stack.
  names=("$@") with_key=(kms_mode=cmk)
  forgotten="$forgotten|\.aws_elasticache_replication_group\.|aws_ssm_parameter\.output\[\"cache-(connect-arns|url)\"\]|\[\"ops-health\"\]"
fi
failed=0
for name in "${names[@]}"; do
  read -r -a given <<<"$(values "$name")"
  for round in 1 2; do
    # The limits of routes follow the routes, so `make deploy` too applies platform twice.
    for stack in platform auth sessions push events platform; do
      began=$SECONDS
      if ! changed=$(apply "$stack" ${given[@]+"${given[@]}"} ${with_key[@]+"${with_key[@]}"}); then
        failed=$((failed + 1))
        printf '%4d s  FAILED  %s, apply %d of %s\n%s\n' $((SECONDS - began)) "$name" "$round" "$stack" "$changed"
        # The stacks after it read what it publishes.
        break 2
      elif ((round == 2)) && others=$(grep -E '^  # .* (will|must) be ' "$work/$stack.log" | grep -vE "$forgotten"); then
        failed=$((failed + 1))
        printf '%4d s  FAILED  %s, apply 2 of %s changes again:\n%s\n' $((SECONDS - began)) "$name" "$stack" "$others"
      else
        printf '%4d s  %s, apply %d of %s: %s\n' $((SECONDS - began)) "$name" "$round" "$stack" "$changed"
      fi
    done
  done
done
echo "${#names[@]} switches applied twice to five stacks, $failed failed (${SECONDS} s)"
((failed == 0))
