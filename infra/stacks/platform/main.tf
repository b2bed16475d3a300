locals {
  outputs = merge(local.cache, {
    http-api-id            = module.http_api.id
    http-api-execution-arn = module.http_api.execution_arn
    http-url               = local.http_url
    sessions-table-name    = module.sessions_table.name
    sessions-table-arn     = module.sessions_table.arn
    sessions-stream-arn    = module.sessions_table.stream_arn
    connections-table-name = module.connections_table.name
    connections-table-arn  = module.connections_table.arn
    activity-table-name    = local.activity_table_name
    activity-table-arn     = local.activity_table_arn
    mfa-key-arn            = module.mfa_key.arn
    # A parameter cannot be empty.
    kms-key-arn = local.kms_key_arn == null ? "none" : local.kms_key_arn
  })

  kms_key_arn = var.kms_mode == "cmk" ? module.kms.arn : null

  # The stack events makes this table. Its name is given here, because the stack sessions is applied before events.
  activity_table_name = coalesce(var.table_names.activity, "${module.context.name_prefix}-activity")
  activity_table_arn  = replace(module.sessions_table.arn, "/table\\/.*$/", "table/${local.activity_table_name}")

  # Every queue that a function reads, by the catalogue.
  queue_names = sort(distinct(flatten([for entry in values(jsondecode(file(local.catalogue_file))) : try(entry.queues, [])])))

  # The local cloud names an amazonaws.com address that leads nowhere.
  http_url = module.context.is_local ? "${var.local_endpoint}/_aws/execute-api/${module.http_api.id}" : local.has_domain ? module.domain.http_url : module.http_api.endpoint
}

module "kms" {
  source = "../../modules/kms"

  create = var.kms_mode == "cmk"
  name   = module.context.name_prefix
}

locals {
  # The only functions that read or write the secret of a second factor. The stack auth gives the same functions the permission.
  mfa_functions = ["auth-mfa-activate", "auth-mfa-disable", "auth-mfa-enroll", "auth-mfa-verify", "auth-reauthenticate"]

  account_arns = { for service in ["iam", "sts"] : service => "arn:${module.context.partition}:${service}::${module.context.account_id}" }
}

# The key for the secrets of second factors (TOTP seeds), apart from the key for data at rest: no other role can decrypt with it, whatever
# that role's own policy allows. The encryption context binds a secret to its user.
module "mfa_key" {
  source = "../../modules/kms"

  name        = "${module.context.name_prefix}-mfa"
  description = "Secrets of second factors of ${module.context.name_prefix}."

  users = {
    principal_arns = concat(
      [for key in local.mfa_functions : "${local.account_arns.iam}:role/${module.context.name_prefix}-${key}"],
      # The local cloud compares the ARN of the session, where AWS compares that of the role.
      module.context.is_local ? [for key in local.mfa_functions : "${local.account_arns.sts}:assumed-role/${module.context.name_prefix}-${key}/*"] : [],
    )
    encryption_context_keys = ["userId"]
    # The local cloud does not show the encryption context to policies.
    encryption_context_required = !module.context.is_local
  }
}

# The truth: accounts, sessions, devices, sign-ins. No index: every read that authenticates is a strong one.
module "sessions_table" {
  source = "../../modules/dynamodb-table"

  name                           = coalesce(var.table_names.sessions, "${module.context.name_prefix}-sessions")
  hash_key                       = { name = "PK" }
  range_key                      = { name = "SK" }
  ttl_attribute                  = "ttl"
  provisioned_capacity           = lookup(var.table_capacity, "sessions", null)
  stream_view_type               = "NEW_AND_OLD_IMAGES"
  deletion_protection_enabled    = var.deletion_protection_enabled
  point_in_time_recovery_enabled = var.point_in_time_recovery_enabled
  kms_key_arn                    = local.kms_key_arn
}

# Sockets, subscriptions, tickets, channels. The index serves topics and broadcast only.
module "connections_table" {
  source = "../../modules/dynamodb-table"

  name          = coalesce(var.table_names.connections, "${module.context.name_prefix}-connections")
  hash_key      = { name = "PK" }
  range_key     = { name = "SK" }
  ttl_attribute = "ttl"

  global_secondary_indexes = {
    GSI1 = {
      hash_key           = { name = "GSI1PK" }
      range_key          = { name = "GSI1SK" }
      projection_type    = "INCLUDE"
      non_key_attributes = ["connectedAt", "sid", "sessionExpiresAt"]
    }
  }

  provisioned_capacity           = lookup(var.table_capacity, "connections", null)
  deletion_protection_enabled    = var.deletion_protection_enabled
  point_in_time_recovery_enabled = var.point_in_time_recovery_enabled
  kms_key_arn                    = local.kms_key_arn
}

module "http_api" {
  source = "../../modules/http-api"

  name        = "${module.context.name_prefix}-http"
  description = "Holdfast HTTP API (${var.env}); each stack attaches its own routes."
  throttling  = local.http_throttling

  disable_execute_api_endpoint = local.has_domain && try(var.http_domain.only, false)

  route_throttles = { for key, limits in local.route_throttles : key => limits if contains(local.attached_routes, key) }

  cors = {
    allow_origins     = var.allowed_origins
    allow_methods     = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]
    allow_headers     = ["authorization", "content-type", "if-match", "x-holdfast-csrf"]
    expose_headers    = ["etag", "retry-after", "x-request-id"]
    allow_credentials = true
  }

  log_retention_days = var.log_retention_days
  kms_key_arn        = local.kms_key_arn
  api_tags           = module.context.api_tags.http
}

# Elsewhere make bootstrap has made the bucket, and the release process fills it.
resource "aws_s3_bucket" "local_artifacts" {
  #checkov:skip=CKV_AWS_18:This bucket exists on the local cloud only; on AWS the bootstrap creates the bucket with the module s3-bucket
  #checkov:skip=CKV_AWS_21:This bucket exists on the local cloud only; on AWS the bootstrap creates the bucket with the module s3-bucket
  #checkov:skip=CKV_AWS_144:This bucket exists on the local cloud only; on AWS the bootstrap creates the bucket with the module s3-bucket
  #checkov:skip=CKV_AWS_145:This bucket exists on the local cloud only; on AWS the bootstrap creates the bucket with the module s3-bucket
  #checkov:skip=CKV2_AWS_6:This bucket exists on the local cloud only; on AWS the bootstrap creates the bucket with the module s3-bucket
  #checkov:skip=CKV2_AWS_61:This bucket exists on the local cloud only; on AWS the bootstrap creates the bucket with the module s3-bucket
  #checkov:skip=CKV2_AWS_62:This bucket exists on the local cloud only; on AWS the bootstrap creates the bucket with the module s3-bucket

  for_each = module.context.upload_artifacts ? { this = true } : {}

  bucket        = module.context.artifacts_bucket
  force_destroy = true
}

module "service" {
  source = "../../modules/service"

  stack                    = local.stack
  env                      = var.env
  name_prefix              = module.context.name_prefix
  catalogue_file           = local.catalogue_file
  release_manifest         = var.release_manifest
  artifacts_bucket         = module.context.upload_artifacts ? aws_s3_bucket.local_artifacts["this"].id : var.artifacts_bucket
  upload_artifacts         = module.context.upload_artifacts
  log_level                = var.log_level
  log_retention_days       = var.log_retention_days
  alias_owner              = module.context.alias_owner
  reserved_concurrency     = var.reserved_concurrency
  http_environment         = module.context.http_environment
  kms_key_arn              = local.kms_key_arn
  permissions_boundary_arn = module.context.permissions_boundary_arn
  private_cache            = module.context.private_cache

  http_api = {
    id            = module.http_api.id
    execution_arn = module.http_api.execution_arn
  }

  functions = merge({ for key, function in local.cache_status : key => function if module.context.cache_is_redis }, {
    ops-health = {
      description = "GET /v1/health"
      environment = merge(module.context.cache_environment, {
        SESSIONS_TABLE   = module.sessions_table.name
        HOLDFAST_VERSION = jsondecode(file(var.release_manifest)).version
        HEALTH_DETAILS   = var.health_details
      })
      permissions = {
        Sessions = { actions = ["dynamodb:GetItem"], resources = [module.sessions_table.arn] }
      }
    }

    ops-not-found = {
      description = "Routes and methods that do not exist: 404 and 405"
      environment = {}
    }
  })
}

# The local cloud evaluates no alarms.
module "alarms" {
  source = "../../modules/alarms"

  create      = !module.context.is_local
  name_prefix = "${module.context.name_prefix}-${local.stack}"
  topic_arns  = var.alarm_topic_arns
  functions   = module.service.watch
  runbooks    = module.context.runbooks

  custom = merge(
    {
      http-errors = {
        description = "The HTTP API answers 5xx: more than 1 % of the requests."
        metrics = {
          errors   = { namespace = "AWS/ApiGateway", name = "5xx", stat = "Sum", dimensions = { ApiId = module.http_api.id } }
          requests = { namespace = "AWS/ApiGateway", name = "Count", stat = "Sum", dimensions = { ApiId = module.http_api.id } }
        }
        expression = "IF(requests > 0, 100 * errors / requests, 0)"
        threshold  = 1
        rollback   = true
      }
    },
    # One datapoint every five minutes (cache_status.tf): with shorter periods two in a row would never be over.
    { for key, alarm in {
      cache-unavailable = {
        description = "ElastiCache says that the cache is not available."
        metrics = {
          value = { namespace = "Holdfast", name = "CacheUnavailable", stat = "Maximum", dimensions = { env = var.env, function = "ops-cache-status" } }
        }
        threshold = 0
      }
      cache-without-failover = {
        description = "The cache has no replica that could take over."
        metrics = {
          value = { namespace = "Holdfast", name = "CacheWithoutFailover", stat = "Maximum", dimensions = { env = var.env, function = "ops-cache-status" } }
        }
        threshold = 0
      }
    } : key => merge(alarm, { period_seconds = 300, evaluation_periods = 1, datapoints_to_alarm = 1 }) if module.context.cache_is_redis },
  )
}

locals {
  # For declarations.tf.
  own_settings = merge({ for key, dashboard in module.dashboard : "dashboard ${key}" => dashboard.settings }, {
    "cache" = module.cache.settings
    "cache status" = {
      permission = [for permission in aws_lambda_permission.cache_status : format(
        "%v from %v to %v", permission.principal, permission.source_arn, join(":", compact([permission.function_name, permission.qualifier])),
      )]
      rule   = [for rule in aws_cloudwatch_event_rule.cache_status : rule.schedule_expression]
      target = [for target in aws_cloudwatch_event_target.cache_status : "${target.input} to ${target.arn}"]
    }
    "connections table" = module.connections_table.settings
    domain              = module.domain.settings
    dashboard           = { for key, dashboard in module.dashboard : key => dashboard.name }
    "http api"          = merge(module.http_api.settings, { cors = module.http_api.cors, throttling = module.http_api.throttling })
    kms                 = { key = module.kms.settings }
    "mfa key"           = module.mfa_key.settings
    network             = module.network.settings
    parameter           = { for key, parameter in aws_ssm_parameter.output : key => "${parameter.name} = ${nonsensitive(parameter.value)}" }
    "sessions table"    = module.sessions_table.settings
  })
}
