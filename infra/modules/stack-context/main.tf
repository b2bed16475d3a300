data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

# The plan reads the boundary, so that it fails before any change if the boundary is missing.
data "aws_iam_policy" "boundary" {
  for_each = var.permissions_boundary ? { this = true } : {}

  arn = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:policy/${local.name_prefix}-boundary"
}

# Parameters that other stacks publish.
data "aws_ssm_parameter" "input" {
  for_each = var.inputs

  name = "${local.ssm_prefix}/${each.value}"
}

# Location of the cache that the stack platform creates on AWS.
data "aws_ssm_parameter" "cache" {
  for_each = toset(local.cache_is_private && var.published_cache == null ? [
    "cache-cluster",
    "cache-connect-arns",
    "cache-name",
    "cache-serverless",
    "cache-url",
    "cache-user",
    "network-functions-security-group-id",
    "network-subnet-ids",
  ] : [])

  name = "${local.ssm_prefix}/platform/${each.value}"
}

locals {
  is_local    = var.local_endpoint != ""
  name_prefix = coalesce(var.name_prefix, "holdfast-${var.env}")
  ssm_prefix  = "/holdfast/${var.env}"
  tags        = merge(var.tags, { project = "holdfast", environment = var.env, stack = var.stack })

  alias_owner = local.is_local ? "none" : var.alias_owner
  runbooks    = coalesce(var.runbooks_url, "docs/runbooks")

  permissions_boundary_arn = one([for policy in data.aws_iam_policy.boundary : policy.arn])

  # Without a bucket that the release process fills, Terraform makes one and uploads the zips itself.
  upload_artifacts = var.artifacts_bucket == ""
  artifacts_bucket = local.upload_artifacts ? "${local.name_prefix}-artifacts" : var.artifacts_bucket

  # Fixes an API's id (8 hexadecimal digits) in the local cloud, so that addresses stay the same; nothing on AWS.
  api_tags = { for kind in ["http", "ws"] : kind => local.is_local ? { ms-custom-id = substr(sha256("${local.name_prefix}-${kind}"), 0, 8) } : {} }

  input = { for name, parameter in data.aws_ssm_parameter.input : name => parameter.insecure_value }
  # A parameter cannot be empty: `none` stands for AWS's own keys.
  kms_key_arn = try(local.input["platform/kms-key-arn"], "none") == "none" ? null : local.input["platform/kms-key-arn"]

  # Every function with a route gets these.
  http_environment = var.trusted_proxy == "none" ? {} : {
    TRUSTED_PROXY        = var.trusted_proxy
    ORIGIN_SECRET_SHA256 = var.origin_secret_sha256
  }
  routes = var.catalogue_file == null ? [] : sort(flatten([for entry in values(jsondecode(file(var.catalogue_file))) : try(entry.routes, []) if entry.stack == var.stack]))
}

# The cache provider, and the location of the cache.
locals {
  cache_is_redis = var.cache_provider == "redis"

  # On AWS it is in a network of its own; the local one is a process beside the local cloud.
  cache_is_private = local.cache_is_redis && !local.is_local

  cache = var.published_cache != null ? var.published_cache : { for name, parameter in data.aws_ssm_parameter.cache : name => parameter.insecure_value }

  # What every function gets that reads the cache or deletes from it. A server's address without the provider `redis`
  # means delete only.
  cache_environment = merge(
    { CACHE_PROVIDER = var.redis_delete_only ? "dynamodb" : var.cache_provider },
    local.cache_is_redis && !local.cache_is_private ? { REDIS_URL = var.local_redis_url } : {},
    local.cache_is_private ? {
      REDIS_URL            = local.cache["cache-url"]
      REDIS_CLUSTER        = local.cache["cache-cluster"]
      REDIS_IAM_USER       = local.cache["cache-user"]
      REDIS_IAM_CACHE      = local.cache["cache-name"]
      REDIS_IAM_SERVERLESS = local.cache["cache-serverless"]
    } : {},
  )

  # Those functions run in the cache's network, and may connect as the one user it has. No other function does either.
  private_cache = local.cache_is_private ? {
    subnet_ids         = split(",", local.cache["network-subnet-ids"])
    security_group_ids = [local.cache["network-functions-security-group-id"]]
    connect_arns       = split(",", local.cache["cache-connect-arns"])
    # The network has an interface endpoint to KMS, for the functions that read the secrets of second factors.
    endpoint_services = ["kms"]
  } : null
}

# Lifetimes of sessions and tokens. Every function that checks a session must use the same values.
locals {
  session_environment = merge(local.cache_environment, {
    SESSIONS_TABLE                  = try(local.input["platform/sessions-table-name"], null)
    CACHE_MAX_AGE_SECONDS           = var.cache_max_age_seconds
    MAX_SESSIONS_PER_USER           = var.max_sessions_per_user
    ACCESS_TOKEN_TTL_SECONDS        = var.access_token_ttl_seconds
    SESSION_IDLE_SECONDS            = var.session_idle_seconds
    SESSION_ABSOLUTE_SECONDS        = var.session_absolute_seconds
    STAY_SIGNED_IN_IDLE_SECONDS     = var.stay_signed_in_idle_seconds
    STAY_SIGNED_IN_ABSOLUTE_SECONDS = var.stay_signed_in_absolute_seconds
    REFRESH_GRACE_SECONDS           = var.refresh_grace_seconds
    ALLOWED_ORIGINS                 = join(",", var.allowed_origins)
  })
}
