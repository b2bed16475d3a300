mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_role" {
    defaults = { id = "role", arn = "arn:aws:iam::123456789012:role/role" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:own" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:f", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/f", version = "1" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:f:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/f:live" }
  }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/http-api-id"]
  values = { insecure_value = "http" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/http-api-execution-arn"]
  values = { insecure_value = "arn:aws:execute-api:us-east-1:123456789012:http" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/kms-key-arn"]
  values = { insecure_value = "none" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/mfa-key-arn"]
  values = { insecure_value = "arn:aws:kms:us-east-1:123456789012:key/mfa" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/sessions-table-name"]
  values = { insecure_value = "sessions" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/sessions-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions" }
}

variables {
  env              = "test"
  release_manifest = "tests/release.json"
  artifacts_bucket = "artifacts"
}

run "every_variable_reaches_the_functions_that_read_it" {
  command = apply
  variables {
    allowed_origins                 = ["https://a.example", "https://b.example"]
    access_token_ttl_seconds        = 101
    cache_max_age_seconds           = 11
    max_sessions_per_user           = 3
    refresh_grace_seconds           = 12
    session_idle_seconds            = 103
    session_absolute_seconds        = 104
    stay_signed_in_idle_seconds     = 105
    stay_signed_in_absolute_seconds = 106
    max_login_attempts              = 7
    max_mfa_attempts                = 8
    login_session_ttl_seconds       = 301
    mfa_session_ttl_seconds         = 201
    device_trust_seconds            = 107
    mfa_issuer                      = "Shop"
    max_registrations_per_network   = 9
    credential_verifier             = "cognito"
    cognito_client_id               = "client"
    trusted_proxy                   = "cloudfront"
    origin_secret_sha256            = "0000000000000000000000000000000000000000000000000000000000000001"
    log_level                       = "debug"
  }
  assert {
    condition = jsonencode(module.service.environment) == jsonencode({
      auth-login = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        COGNITO_CLIENT_ID               = "client"
        CREDENTIAL_VERIFIER             = "cognito"
        DEVICE_TRUST_SECONDS            = "107"
        FUNCTION_KEY                    = "auth-login"
        HOLDFAST_ENV                    = "test"
        LOGIN_SESSION_TTL_SECONDS       = "301"
        LOG_LEVEL                       = "debug"
        MAX_LOGIN_ATTEMPTS              = "7"
        MAX_MFA_ATTEMPTS                = "8"
        MAX_SESSIONS_PER_USER           = "3"
        MFA_SESSION_TTL_SECONDS         = "201"
        ORIGIN_SECRET_SHA256            = "0000000000000000000000000000000000000000000000000000000000000001"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
        TRUSTED_PROXY                   = "cloudfront"
      }
      auth-logout = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        FUNCTION_KEY                    = "auth-logout"
        HOLDFAST_ENV                    = "test"
        LOG_LEVEL                       = "debug"
        MAX_SESSIONS_PER_USER           = "3"
        ORIGIN_SECRET_SHA256            = "0000000000000000000000000000000000000000000000000000000000000001"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
        TRUSTED_PROXY                   = "cloudfront"
      }
      auth-mfa-activate = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        DEVICE_TRUST_SECONDS            = "107"
        FUNCTION_KEY                    = "auth-mfa-activate"
        HOLDFAST_ENV                    = "test"
        LOGIN_SESSION_TTL_SECONDS       = "301"
        LOG_LEVEL                       = "debug"
        MAX_LOGIN_ATTEMPTS              = "7"
        MAX_MFA_ATTEMPTS                = "8"
        MAX_SESSIONS_PER_USER           = "3"
        MFA_ISSUER                      = "Shop"
        MFA_KEY_ID                      = "arn:aws:kms:us-east-1:123456789012:key/mfa"
        MFA_SESSION_TTL_SECONDS         = "201"
        ORIGIN_SECRET_SHA256            = "0000000000000000000000000000000000000000000000000000000000000001"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
        TRUSTED_PROXY                   = "cloudfront"
      }
      auth-mfa-disable = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        DEVICE_TRUST_SECONDS            = "107"
        FUNCTION_KEY                    = "auth-mfa-disable"
        HOLDFAST_ENV                    = "test"
        LOGIN_SESSION_TTL_SECONDS       = "301"
        LOG_LEVEL                       = "debug"
        MAX_LOGIN_ATTEMPTS              = "7"
        MAX_MFA_ATTEMPTS                = "8"
        MAX_SESSIONS_PER_USER           = "3"
        MFA_ISSUER                      = "Shop"
        MFA_KEY_ID                      = "arn:aws:kms:us-east-1:123456789012:key/mfa"
        MFA_SESSION_TTL_SECONDS         = "201"
        ORIGIN_SECRET_SHA256            = "0000000000000000000000000000000000000000000000000000000000000001"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
        TRUSTED_PROXY                   = "cloudfront"
      }
      auth-mfa-enroll = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        DEVICE_TRUST_SECONDS            = "107"
        FUNCTION_KEY                    = "auth-mfa-enroll"
        HOLDFAST_ENV                    = "test"
        LOGIN_SESSION_TTL_SECONDS       = "301"
        LOG_LEVEL                       = "debug"
        MAX_LOGIN_ATTEMPTS              = "7"
        MAX_MFA_ATTEMPTS                = "8"
        MAX_SESSIONS_PER_USER           = "3"
        MFA_ISSUER                      = "Shop"
        MFA_KEY_ID                      = "arn:aws:kms:us-east-1:123456789012:key/mfa"
        MFA_SESSION_TTL_SECONDS         = "201"
        ORIGIN_SECRET_SHA256            = "0000000000000000000000000000000000000000000000000000000000000001"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
        TRUSTED_PROXY                   = "cloudfront"
      }
      auth-mfa-recovery-codes = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        DEVICE_TRUST_SECONDS            = "107"
        FUNCTION_KEY                    = "auth-mfa-recovery-codes"
        HOLDFAST_ENV                    = "test"
        LOGIN_SESSION_TTL_SECONDS       = "301"
        LOG_LEVEL                       = "debug"
        MAX_LOGIN_ATTEMPTS              = "7"
        MAX_MFA_ATTEMPTS                = "8"
        MAX_SESSIONS_PER_USER           = "3"
        MFA_ISSUER                      = "Shop"
        MFA_SESSION_TTL_SECONDS         = "201"
        ORIGIN_SECRET_SHA256            = "0000000000000000000000000000000000000000000000000000000000000001"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
        TRUSTED_PROXY                   = "cloudfront"
      }
      auth-mfa-verify = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        DEVICE_TRUST_SECONDS            = "107"
        FUNCTION_KEY                    = "auth-mfa-verify"
        HOLDFAST_ENV                    = "test"
        LOGIN_SESSION_TTL_SECONDS       = "301"
        LOG_LEVEL                       = "debug"
        MAX_LOGIN_ATTEMPTS              = "7"
        MAX_MFA_ATTEMPTS                = "8"
        MAX_SESSIONS_PER_USER           = "3"
        MFA_KEY_ID                      = "arn:aws:kms:us-east-1:123456789012:key/mfa"
        MFA_SESSION_TTL_SECONDS         = "201"
        ORIGIN_SECRET_SHA256            = "0000000000000000000000000000000000000000000000000000000000000001"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
        TRUSTED_PROXY                   = "cloudfront"
      }
      auth-password = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        COGNITO_CLIENT_ID               = "client"
        CREDENTIAL_VERIFIER             = "cognito"
        DEVICE_TRUST_SECONDS            = "107"
        FUNCTION_KEY                    = "auth-password"
        HOLDFAST_ENV                    = "test"
        LOGIN_SESSION_TTL_SECONDS       = "301"
        LOG_LEVEL                       = "debug"
        MAX_LOGIN_ATTEMPTS              = "7"
        MAX_MFA_ATTEMPTS                = "8"
        MAX_SESSIONS_PER_USER           = "3"
        MFA_SESSION_TTL_SECONDS         = "201"
        ORIGIN_SECRET_SHA256            = "0000000000000000000000000000000000000000000000000000000000000001"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
        TRUSTED_PROXY                   = "cloudfront"
      }
      auth-reauthenticate = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        COGNITO_CLIENT_ID               = "client"
        CREDENTIAL_VERIFIER             = "cognito"
        DEVICE_TRUST_SECONDS            = "107"
        FUNCTION_KEY                    = "auth-reauthenticate"
        HOLDFAST_ENV                    = "test"
        LOGIN_SESSION_TTL_SECONDS       = "301"
        LOG_LEVEL                       = "debug"
        MAX_LOGIN_ATTEMPTS              = "7"
        MAX_MFA_ATTEMPTS                = "8"
        MAX_SESSIONS_PER_USER           = "3"
        MFA_KEY_ID                      = "arn:aws:kms:us-east-1:123456789012:key/mfa"
        MFA_SESSION_TTL_SECONDS         = "201"
        ORIGIN_SECRET_SHA256            = "0000000000000000000000000000000000000000000000000000000000000001"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
        TRUSTED_PROXY                   = "cloudfront"
      }
      auth-refresh = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        FUNCTION_KEY                    = "auth-refresh"
        HOLDFAST_ENV                    = "test"
        LOG_LEVEL                       = "debug"
        MAX_SESSIONS_PER_USER           = "3"
        ORIGIN_SECRET_SHA256            = "0000000000000000000000000000000000000000000000000000000000000001"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
        TRUSTED_PROXY                   = "cloudfront"
      }
      auth-register = {
        FUNCTION_KEY                  = "auth-register"
        HOLDFAST_ENV                  = "test"
        LOG_LEVEL                     = "debug"
        MAX_REGISTRATIONS_PER_NETWORK = "9"
        ORIGIN_SECRET_SHA256          = "0000000000000000000000000000000000000000000000000000000000000001"
        REGISTRATION_ENABLED          = "false"
        SESSIONS_TABLE                = "sessions"
        TRUSTED_PROXY                 = "cloudfront"
      }
    })
    error_message = "Each function gets exactly these variables, with the values that this run gives the stack."
  }
}

run "with_default_settings" {
  command = apply

  # The stack says which routes it has attached.
  assert {
    condition     = aws_ssm_parameter.routes["this"].name == "/holdfast/test/routes/auth" && toset(split(",", aws_ssm_parameter.routes["this"].value)) == toset(["DELETE /v1/auth/mfa", "POST /v1/auth/login", "POST /v1/auth/logout", "POST /v1/auth/mfa/activate", "POST /v1/auth/mfa/enroll", "POST /v1/auth/mfa/recovery-codes", "POST /v1/auth/mfa/verify", "POST /v1/auth/password", "POST /v1/auth/reauthenticate", "POST /v1/auth/refresh", "POST /v1/users"])
    error_message = "The stack platform sets limits for these routes."
  }

  # Without a proxy, no function is told of one.
  assert {
    condition     = length(module.service.reserved_concurrency) == 0 && !anytrue([for environment in values(module.service.environment) : can(environment.TRUSTED_PROXY) || can(environment.ORIGIN_SECRET_SHA256)])
    error_message = "The client's address is what API Gateway saw; nothing is reserved."
  }

  # Every role gets the boundary of the environment.
  assert {
    condition     = toset(values(module.service.permissions_boundary_arns)) == toset(["arn:aws:iam::123456789012:policy/holdfast-test-boundary"])
    error_message = "A pipeline can make no role without it."
  }

  # Each role allows exactly what its function needs.
  assert {
    condition = jsonencode({ for key, grants in module.service.grants : key => [
      for grant in grants : replace(grant, "arn:aws:dynamodb:us-east-1:123456789012:table/", "") if !startswith(grant, "logs:") && !startswith(grant, "xray:") && !startswith(grant, "kms:")
      ] }) == jsonencode({
      auth-login              = ["dynamodb:ConditionCheckItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-logout             = ["dynamodb:GetItem sessions", "dynamodb:UpdateItem sessions"]
      auth-mfa-activate       = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-mfa-disable        = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-mfa-enroll         = ["dynamodb:ConditionCheckItem sessions", "dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-mfa-recovery-codes = ["dynamodb:ConditionCheckItem sessions", "dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-mfa-verify         = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-password           = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-reauthenticate     = ["dynamodb:ConditionCheckItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-refresh            = ["dynamodb:GetItem sessions", "dynamodb:UpdateItem sessions"]
      auth-register           = ["dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:UpdateItem sessions"]
    })
    error_message = "Each role allows exactly what its function does."
  }
  assert {
    condition = alltrue([for grants in values(module.service.grants) : toset([for grant in grants : grant if startswith(grant, "logs:") || endswith(grant, " *")]) == toset([
      "logs:CreateLogStream arn:aws:logs:us-east-1:123456789012:log-group:own:*",
      "logs:PutLogEvents arn:aws:logs:us-east-1:123456789012:log-group:own:*",
      "xray:PutTelemetryRecords *",
      "xray:PutTraceSegments *",
    ])])
    error_message = "Each function writes its own log; \"*\" is for X-Ray only."
  }

  # Only the functions for second factors use their key and only for one user.
  assert {
    condition = jsonencode({ for key, grants in module.service.grants : key => [for grant in grants : grant if startswith(grant, "kms:")] if anytrue([for grant in grants : startswith(grant, "kms:")]) }) == jsonencode({
      for key in ["auth-mfa-activate", "auth-mfa-disable", "auth-mfa-enroll", "auth-mfa-verify", "auth-reauthenticate"] : key => [
        for action in ["kms:Decrypt", "kms:Encrypt"] :
        "${action} arn:aws:kms:us-east-1:123456789012:key/mfa if ${jsonencode({ "ForAllValues:StringEquals" = { "kms:EncryptionContextKeys" = ["userId"] } })}"
      ]
    })
    error_message = "Exactly these five roles use the key, and only with the user's id as encryption context. The stack platform names the same five in the key's policy."
  }
  assert {
    condition     = { for key, environment in module.service.environment : key => environment.MFA_KEY_ID if can(environment.MFA_KEY_ID) } == { for key in ["auth-mfa-activate", "auth-mfa-disable", "auth-mfa-enroll", "auth-mfa-verify", "auth-reauthenticate"] : key => "arn:aws:kms:us-east-1:123456789012:key/mfa" }
    error_message = "The functions that may use the key know it, and no other does."
  }
}

run "functions_can_have_executions_reserved" {
  command = apply
  variables { reserved_concurrency = { auth-login = 7, events-relay = 3 } }
  assert {
    condition     = module.service.reserved_concurrency == { auth-login = 7 }
    error_message = "Functions of this stack only; the others have none reserved."
  }
}

run "registration_is_open_only_where_it_is_said" {
  command = apply
  variables { registration_enabled = true }
  assert {
    condition     = module.service.environment.auth-register.REGISTRATION_ENABLED == "true"
    error_message = "The variable decides; the run above has it closed by default."
  }
}

run "without_a_bootstrap_there_is_no_boundary" {
  command = apply
  variables { permissions_boundary = false }
  assert {
    condition     = alltrue([for arn in values(module.service.permissions_boundary_arns) : arn == null || arn == ""]) && module.context.permissions_boundary_arn == null
    error_message = "Locally nobody has made one."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    max_login_attempts            = 0
    max_registrations_per_network = 0
    login_session_ttl_seconds     = 299
    sign_in_failures_per_minute   = 0
    max_mfa_attempts              = 11
    device_trust_seconds          = 0
    mfa_issuer                    = "a:b"
    credential_verifier           = "ldap"
  }
  expect_failures = [var.max_registrations_per_network, var.credential_verifier, var.max_mfa_attempts, var.device_trust_seconds, var.mfa_issuer, var.max_login_attempts, var.login_session_ttl_seconds, var.sign_in_failures_per_minute]
}

run "refuses_a_second_factor_that_outlives_the_sign_in" {
  command = plan
  variables {
    mfa_session_ttl_seconds = 601
  }
  expect_failures = [var.mfa_session_ttl_seconds]
}

run "a_local_redis_is_for_those_that_read_or_delete_the_cache" {
  command = apply
  variables {
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
    cache_provider   = "redis"
    local_redis_url  = "redis://127.0.0.1:6379/0"
  }
  assert {
    condition     = alltrue([for key, environment in module.service.environment : try(environment.REDIS_URL, "") == (key == "auth-register" ? "" : "redis://127.0.0.1:6379/0")])
    error_message = "All but registration end or replace sessions."
  }
}

run "a_user_pool_checks_passwords" {
  command = apply
  variables {
    credential_verifier = "cognito"
    cognito_client_id   = "client"
  }
  assert {
    condition = alltrue([
      for key, environment in module.service.environment :
      (try(environment.COGNITO_CLIENT_ID, "") == "client") == contains(["auth-login", "auth-password", "auth-reauthenticate"], key)
    ])
    error_message = "Only those that look at a password know the pool."
  }
  assert {
    condition     = { for key, environment in module.service.environment : key => environment.CREDENTIAL_VERIFIER if can(environment.CREDENTIAL_VERIFIER) } == { for key in ["auth-login", "auth-password", "auth-reauthenticate"] : key => "cognito" }
    error_message = "And they ask it."
  }
}

run "refuses_a_user_pool_with_registration" {
  command = plan
  variables {
    credential_verifier  = "cognito"
    cognito_client_id    = "client"
    registration_enabled = true
  }
  expect_failures = [var.credential_verifier]
}

run "refuses_a_user_pool_together_with_redis" {
  command = plan
  variables {
    local_endpoint      = "http://127.0.0.1:4566"
    artifacts_bucket    = ""
    cache_provider      = "redis"
    local_redis_url     = "redis://127.0.0.1:6379/0"
    credential_verifier = "cognito"
    cognito_client_id   = "client"
  }
  expect_failures = [var.credential_verifier]
}

run "refuses_a_user_pool_without_a_client" {
  command = plan
  variables {
    credential_verifier = "cognito"
  }
  expect_failures = [var.cognito_client_id]
}
