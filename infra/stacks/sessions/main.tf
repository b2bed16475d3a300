locals {
  # What other stacks publish, by "<stack>/<name>".
  inputs = toset([
    "platform/http-api-id",
    "platform/http-api-execution-arn",
    "platform/kms-key-arn",
    "platform/sessions-table-name",
    "platform/sessions-table-arn",
    "platform/connections-table-name",
    "platform/connections-table-arn",
    "platform/activity-table-name",
    "platform/activity-table-arn",
  ])

  sessions_table_arn = module.context.input["platform/sessions-table-arn"]

  # A validation reads one item, and notes the use of the session at most every five minutes.
  validate = { actions = ["dynamodb:GetItem", "dynamodb:UpdateItem"], resources = [local.sessions_table_arn] }

  # Ending a session ends the trust of its device in the same transaction. This release marks the device's row as removed;
  # 0.1.0 deletes it, and must be able to after a rollback.
  end_sessions = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
}

module "service" {
  source = "../../modules/service"

  stack                    = local.stack
  env                      = var.env
  name_prefix              = module.context.name_prefix
  catalogue_file           = local.catalogue_file
  release_manifest         = var.release_manifest
  artifacts_bucket         = module.context.artifacts_bucket
  upload_artifacts         = module.context.upload_artifacts
  log_level                = var.log_level
  log_retention_days       = var.log_retention_days
  alias_owner              = module.context.alias_owner
  reserved_concurrency     = var.reserved_concurrency
  http_environment         = module.context.http_environment
  kms_key_arn              = module.context.kms_key_arn
  permissions_boundary_arn = module.context.permissions_boundary_arn
  private_cache            = module.context.private_cache

  http_api = {
    id            = module.context.input["platform/http-api-id"]
    execution_arn = module.context.input["platform/http-api-execution-arn"]
  }

  functions = {
    sessions-list = {
      description = "GET /v1/sessions"
      environment = module.context.session_environment
      permissions = {
        Sessions = {
          actions   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
          resources = [local.sessions_table_arn]
        }
      }
    }

    # The hot path.
    sessions-current = {
      description = "GET /v1/sessions/current"
      environment = module.context.session_environment
      permissions = { Sessions = local.validate }
    }

    sessions-revoke = {
      description = "DELETE /v1/sessions/{sessionId}"
      environment = module.context.session_environment
      permissions = { Sessions = { actions = local.end_sessions, resources = [local.sessions_table_arn] } }
    }

    sessions-revoke-all = {
      description = "DELETE /v1/sessions"
      environment = module.context.session_environment
      permissions = { Sessions = { actions = local.end_sessions, resources = [local.sessions_table_arn] } }
    }

    sessions-devices = {
      description = "GET /v1/devices"
      environment = module.context.session_environment
      permissions = {
        Sessions = { actions = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], resources = [local.sessions_table_arn] }
      }
    }

    sessions-remove-devices = {
      description = "DELETE /v1/devices and DELETE /v1/devices/{deviceId}"
      environment = module.context.session_environment
      permissions = { Sessions = { actions = local.end_sessions, resources = [local.sessions_table_arn] } }
    }

    # Services of the platform call it for users whom they have authenticated.
    sessions-create = {
      description = "POST /v1/sessions (IAM)"
      environment = module.context.session_environment
      permissions = {
        Sessions = {
          actions   = ["dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
          resources = [local.sessions_table_arn]
        }
      }
    }

    sessions-introspect = {
      description = "POST /v1/sessions/introspect (IAM)"
      environment = module.context.session_environment
      permissions = { Sessions = local.validate }
    }

    # It has no route: API Gateway invokes it for the APIs that the module session-authorizer attaches to it.
    sessions-authorizer = {
      description = "Lambda authorizer of HTTP, REST and WebSocket APIs of any stack"
      environment = module.context.session_environment
      permissions = { Sessions = local.validate }
    }

    # It has no route: operators invoke it, and IAM decides who may.
    sessions-admin = {
      description = "Creates, finds, disables and deletes users, lists and ends their sessions, shows and clears attempts"
      # It hashes the passwords that it sets (argon2id): Lambda gives CPU by memory.
      memory_size_mb = 512
      environment = merge(module.context.session_environment, {
        MAX_LOGIN_ATTEMPTS = var.max_login_attempts
        MAX_MFA_ATTEMPTS   = var.max_mfa_attempts
        CONNECTIONS_TABLE  = module.context.input["platform/connections-table-name"]
        ACTIVITY_TABLE     = module.context.input["platform/activity-table-name"]
      })
      # Deleting a user deletes the user's rows of every table.
      permissions = {
        Sessions    = { actions = concat(local.end_sessions, ["dynamodb:PutItem"]), resources = [local.sessions_table_arn] }
        Connections = { actions = ["dynamodb:DeleteItem", "dynamodb:Query"], resources = [module.context.input["platform/connections-table-arn"]] }
        Activity = {
          actions   = ["dynamodb:DeleteItem"]
          resources = [module.context.input["platform/activity-table-arn"]]
        }
      }
    }

    sessions-trust = {
      description = "PUT /v1/sessions/{sessionId}/trust"
      environment = merge(module.context.session_environment, { DEVICE_TRUST_SECONDS = var.device_trust_seconds })
      permissions = {
        Sessions = {
          actions   = concat(local.end_sessions, ["dynamodb:PutItem"])
          resources = [local.sessions_table_arn]
        }
      }
    }
  }
}

locals {
  # These functions validate sessions for others. Each counts the answers of the cache under its own key, and the instances of the authorizer count
  # under that of the shared one.
  cache_readers = ["current", "introspect", "authorizer"]
  cache_sums    = { for name in ["hits", "misses", "fallbacks"] : name => "(${join(" + ", [for reader in local.cache_readers : "FILL(${name}_${reader}, 0)"])})" }
}

# The local cloud evaluates no alarms.
module "alarms" {
  source = "../../modules/alarms"

  create      = !module.context.is_local
  name_prefix = "${module.context.name_prefix}-${local.stack}"
  topic_arns  = var.alarm_topic_arns
  functions   = module.service.watch
  runbooks    = module.context.runbooks

  custom = { for key, alarm in {
    cache-hit-rate = {
      description = "The cache answers less than half of the validations."
      metrics = {
        hits_current      = { namespace = "Holdfast", name = "CACHE_HIT", stat = "Sum", dimensions = { env = var.env, function = "sessions-current" } }
        hits_introspect   = { namespace = "Holdfast", name = "CACHE_HIT", stat = "Sum", dimensions = { env = var.env, function = "sessions-introspect" } }
        hits_authorizer   = { namespace = "Holdfast", name = "CACHE_HIT", stat = "Sum", dimensions = { env = var.env, function = "sessions-authorizer" } }
        misses_current    = { namespace = "Holdfast", name = "CACHE_MISS", stat = "Sum", dimensions = { env = var.env, function = "sessions-current" } }
        misses_introspect = { namespace = "Holdfast", name = "CACHE_MISS", stat = "Sum", dimensions = { env = var.env, function = "sessions-introspect" } }
        misses_authorizer = { namespace = "Holdfast", name = "CACHE_MISS", stat = "Sum", dimensions = { env = var.env, function = "sessions-authorizer" } }
      }
      # A few validations say nothing: each session's first is a miss.
      expression = "IF(${local.cache_sums.hits} + ${local.cache_sums.misses} > 100, 100 * ${local.cache_sums.hits} / (${local.cache_sums.hits} + ${local.cache_sums.misses}), 100)"
      threshold  = 50
      comparison = "LessThanThreshold"
    }
    cache-fallback = {
      description = "Validations go past the cache: it is down, slow or refuses."
      metrics = {
        fallbacks_current    = { namespace = "Holdfast", name = "CACHE_FALLBACK", stat = "Sum", dimensions = { env = var.env, function = "sessions-current" } }
        fallbacks_introspect = { namespace = "Holdfast", name = "CACHE_FALLBACK", stat = "Sum", dimensions = { env = var.env, function = "sessions-introspect" } }
        fallbacks_authorizer = { namespace = "Holdfast", name = "CACHE_FALLBACK", stat = "Sum", dimensions = { env = var.env, function = "sessions-authorizer" } }
        hits_current         = { namespace = "Holdfast", name = "CACHE_HIT", stat = "Sum", dimensions = { env = var.env, function = "sessions-current" } }
        hits_introspect      = { namespace = "Holdfast", name = "CACHE_HIT", stat = "Sum", dimensions = { env = var.env, function = "sessions-introspect" } }
        hits_authorizer      = { namespace = "Holdfast", name = "CACHE_HIT", stat = "Sum", dimensions = { env = var.env, function = "sessions-authorizer" } }
      }
      expression = "IF(${local.cache_sums.fallbacks} + ${local.cache_sums.hits} > 100, 100 * ${local.cache_sums.fallbacks} / (${local.cache_sums.fallbacks} + ${local.cache_sums.hits}), 0)"
      threshold  = 5
    }
    cache-unconfirmed = {
      description = "Ended sessions could not be deleted from the cache at once: ends are answered `bounded`."
      metrics = {
        one   = { namespace = "Holdfast", name = "CACHE_DELETE_UNCONFIRMED", stat = "Sum", dimensions = { env = var.env, function = "sessions-revoke" } }
        all   = { namespace = "Holdfast", name = "CACHE_DELETE_UNCONFIRMED", stat = "Sum", dimensions = { env = var.env, function = "sessions-revoke-all" } }
        admin = { namespace = "Holdfast", name = "CACHE_DELETE_UNCONFIRMED", stat = "Sum", dimensions = { env = var.env, function = "sessions-admin" } }
      }
      expression = "FILL(one, 0) + FILL(all, 0) + FILL(admin, 0)"
      threshold  = 0
    }
    cache-inconsistent = {
      description = "A copy in the cache contradicts the table: Holdfast has a defect, or another client writes to the cache."
      metrics = {
        current    = { namespace = "Holdfast", name = "CACHE_INCONSISTENT", stat = "Sum", dimensions = { env = var.env, function = "sessions-current" } }
        introspect = { namespace = "Holdfast", name = "CACHE_INCONSISTENT", stat = "Sum", dimensions = { env = var.env, function = "sessions-introspect" } }
        authorizer = { namespace = "Holdfast", name = "CACHE_INCONSISTENT", stat = "Sum", dimensions = { env = var.env, function = "sessions-authorizer" } }
      }
      expression = "FILL(current, 0) + FILL(introspect, 0) + FILL(authorizer, 0)"
      threshold  = 0
      rollback   = true
      # One inconsistent copy raises the alarm.
      period_seconds      = 60
      evaluation_periods  = 1
      datapoints_to_alarm = 1
    }
  } : key => alarm if module.context.cache_is_redis }
}

locals {
  # For declarations.tf: this stack has functions and alarms only.
  own_settings = {}
}
