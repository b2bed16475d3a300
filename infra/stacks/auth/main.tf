locals {
  # What other stacks publish, by "<stack>/<name>".
  inputs = toset([
    "platform/http-api-id",
    "platform/http-api-execution-arn",
    "platform/kms-key-arn",
    "platform/mfa-key-arn",
    "platform/sessions-table-name",
    "platform/sessions-table-arn",
  ])

  sessions_table_arn = module.context.input["platform/sessions-table-arn"]
}

locals {
  sign_in_environment = merge(module.context.session_environment, {
    MAX_LOGIN_ATTEMPTS        = var.max_login_attempts
    MAX_MFA_ATTEMPTS          = var.max_mfa_attempts
    LOGIN_SESSION_TTL_SECONDS = var.login_session_ttl_seconds
    MFA_SESSION_TTL_SECONDS   = var.mfa_session_ttl_seconds
    DEVICE_TRUST_SECONDS      = var.device_trust_seconds
  })
  # Of those that look at a password.
  password_environment = merge(
    local.sign_in_environment,
    { CREDENTIAL_VERIFIER = var.credential_verifier },
    var.credential_verifier == "cognito" ? { COGNITO_CLIENT_ID = var.cognito_client_id } : {},
  )
  factor_environment = merge(local.sign_in_environment, { MFA_ISSUER = var.mfa_issuer })

  # The secret of a second factor (its TOTP seed) is stored encrypted. Only the functions with this permission read or write it, and only
  # with the user's id as encryption context. The key's own policy names the same functions (mfa_functions in the stack platform).
  mfa_key_arn     = module.context.input["platform/mfa-key-arn"]
  mfa_environment = { MFA_KEY_ID = local.mfa_key_arn }
  mfa_permission = {
    MfaKey = {
      actions    = ["kms:Decrypt", "kms:Encrypt"]
      resources  = [local.mfa_key_arn]
      conditions = { "ForAllValues:StringEquals" = { "kms:EncryptionContextKeys" = ["userId"] } }
    }
  }

  # A change of the account on behalf of a session reads both, and the session is a condition of the write.
  edit_account = ["dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
  # A changed password or second factor also removes the trusted devices, in the same transaction. This release marks their
  # rows; 0.1.0 deletes them, and must be able to after a rollback.
  edit_credentials = concat(local.edit_account, ["dynamodb:DeleteItem"])
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
    # Lambda gives CPU by memory: the functions that hash passwords (argon2id) get more of it.
    auth-register = {
      description    = "POST /v1/users"
      memory_size_mb = 512
      environment = {
        SESSIONS_TABLE       = module.context.input["platform/sessions-table-name"]
        REGISTRATION_ENABLED = var.registration_enabled

        MAX_REGISTRATIONS_PER_NETWORK = var.max_registrations_per_network
      }
      # The network's budget is read and counted before the account is written.
      permissions = {
        Sessions = { actions = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], resources = [local.sessions_table_arn] }
      }
    }

    auth-login = {
      description    = "POST /v1/auth/login"
      memory_size_mb = 512
      environment    = local.password_environment
      permissions = {
        Sessions = {
          actions   = concat(local.edit_account, ["dynamodb:PutItem"])
          resources = [local.sessions_table_arn]
        }
      }
    }

    auth-mfa-verify = {
      description = "POST /v1/auth/mfa/verify"
      environment = merge(local.sign_in_environment, local.mfa_environment)
      permissions = merge(local.mfa_permission, {
        Sessions = {
          actions   = concat(local.edit_credentials, ["dynamodb:PutItem"])
          resources = [local.sessions_table_arn]
        }
      })
    }

    auth-mfa-enroll = {
      description = "POST /v1/auth/mfa/enroll"
      environment = merge(local.factor_environment, local.mfa_environment)
      permissions = merge(local.mfa_permission, { Sessions = { actions = local.edit_account, resources = [local.sessions_table_arn] } })
    }

    auth-mfa-activate = {
      description = "POST /v1/auth/mfa/activate"
      environment = merge(local.factor_environment, local.mfa_environment)
      permissions = merge(local.mfa_permission, { Sessions = { actions = concat(local.edit_credentials, ["dynamodb:PutItem"]), resources = [local.sessions_table_arn] } })
    }

    auth-mfa-disable = {
      description = "DELETE /v1/auth/mfa"
      environment = merge(local.factor_environment, local.mfa_environment)
      permissions = merge(local.mfa_permission, { Sessions = { actions = concat(local.edit_credentials, ["dynamodb:PutItem"]), resources = [local.sessions_table_arn] } })
    }

    auth-mfa-recovery-codes = {
      description = "POST /v1/auth/mfa/recovery-codes"
      environment = local.factor_environment
      permissions = { Sessions = { actions = local.edit_account, resources = [local.sessions_table_arn] } }
    }

    auth-password = {
      description    = "POST /v1/auth/password"
      memory_size_mb = 512
      environment    = local.password_environment
      permissions    = { Sessions = { actions = concat(local.edit_credentials, ["dynamodb:PutItem"]), resources = [local.sessions_table_arn] } }
    }

    auth-reauthenticate = {
      description    = "POST /v1/auth/reauthenticate"
      memory_size_mb = 512
      environment    = merge(local.password_environment, local.mfa_environment)
      permissions = merge(local.mfa_permission, {
        Sessions = { actions = concat(local.edit_account, ["dynamodb:PutItem"]), resources = [local.sessions_table_arn] }
      })
    }

    auth-refresh = {
      description = "POST /v1/auth/refresh"
      environment = module.context.session_environment
      permissions = {
        Sessions = { actions = ["dynamodb:GetItem", "dynamodb:UpdateItem"], resources = [local.sessions_table_arn] }
      }
    }

    auth-logout = {
      description = "POST /v1/auth/logout"
      environment = module.context.session_environment
      permissions = {
        Sessions = { actions = ["dynamodb:GetItem", "dynamodb:UpdateItem"], resources = [local.sessions_table_arn] }
      }
    }
  }
}

# The local cloud evaluates no alarms.
module "alarms" {
  source = "../../modules/alarms"

  create      = !module.context.is_local
  name_prefix = "${module.context.name_prefix}-${local.stack}"
  topic_arns  = var.alarm_topic_arns
  functions   = module.service.watch
  runbooks    = module.context.runbooks

  custom = {
    sign-in-failures = {
      description = "Many sign-ins fail: an attack, or something that breaks signing in."
      metrics = {
        value = { namespace = "Holdfast", name = "INVALID_CREDENTIALS", stat = "Sum", dimensions = { env = var.env, function = "auth-login" } }
      }
      threshold = var.sign_in_failures_per_minute
    }
  }
}

locals {
  # For declarations.tf: this stack has functions and alarms only.
  own_settings = {}
}
