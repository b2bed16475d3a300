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
  target = data.aws_ssm_parameter.input["platform/http-api-id"]
  values = { insecure_value = "http" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/http-api-execution-arn"]
  values = { insecure_value = "arn:aws:execute-api:us-east-1:123456789012:http" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/kms-key-arn"]
  values = { insecure_value = "none" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/mfa-key-arn"]
  values = { insecure_value = "arn:aws:kms:us-east-1:123456789012:key/mfa" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/sessions-table-name"]
  values = { insecure_value = "sessions" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/sessions-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions" }
}

variables {
  env              = "test"
  release_manifest = "tests/release.json"
  artifacts_bucket = "artifacts"
}

run "every_role_gets_the_boundary_of_the_environment" {
  command = apply
  assert {
    condition     = toset(values(module.service.permissions_boundary_arns)) == toset(["arn:aws:iam::123456789012:policy/holdfast-test-boundary"])
    error_message = "A pipeline can make no role without it."
  }
}

run "without_a_bootstrap_there_is_no_boundary" {
  command = apply
  variables { permissions_boundary = false }
  assert {
    condition     = alltrue([for arn in values(module.service.permissions_boundary_arns) : arn == null || arn == ""]) && length(data.aws_iam_policy.boundary) == 0
    error_message = "Locally nobody has made one."
  }
}

run "each_function_gets_its_variables_and_its_role_exactly_what_it_needs" {
  command = apply
  assert {
    condition = jsonencode({ for key, grants in module.service.grants : key => [
      for grant in grants : replace(grant, "arn:aws:dynamodb:us-east-1:123456789012:table/", "") if !startswith(grant, "logs:") && !startswith(grant, "xray:") && !startswith(grant, "kms:")
      ] }) == jsonencode({
      auth-login              = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-logout             = ["dynamodb:GetItem sessions", "dynamodb:UpdateItem sessions"]
      auth-mfa-activate       = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-mfa-disable        = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-mfa-enroll         = ["dynamodb:ConditionCheckItem sessions", "dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-mfa-recovery-codes = ["dynamodb:ConditionCheckItem sessions", "dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-mfa-verify         = ["dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-password           = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-reauthenticate     = ["dynamodb:ConditionCheckItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      auth-refresh            = ["dynamodb:GetItem sessions", "dynamodb:UpdateItem sessions"]
      auth-register           = ["dynamodb:PutItem sessions"]
    })
    error_message = "Each role allows exactly what its function does."
  }
  assert {
    condition     = toset(keys(module.service.environment["auth-mfa-verify"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "DEVICE_TRUST_SECONDS", "FUNCTION_KEY", "HOLDFAST_ENV", "LOGIN_SESSION_TTL_SECONDS", "LOG_LEVEL", "MAX_LOGIN_ATTEMPTS", "MAX_MFA_ATTEMPTS", "MAX_SESSIONS_PER_USER", "MFA_SESSION_TTL_SECONDS", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS", "MFA_KEY_ID"])
    error_message = "auth-mfa-verify must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["auth-mfa-enroll"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "DEVICE_TRUST_SECONDS", "FUNCTION_KEY", "HOLDFAST_ENV", "LOGIN_SESSION_TTL_SECONDS", "LOG_LEVEL", "MAX_LOGIN_ATTEMPTS", "MAX_MFA_ATTEMPTS", "MAX_SESSIONS_PER_USER", "MFA_SESSION_TTL_SECONDS", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS", "MFA_ISSUER", "MFA_KEY_ID"])
    error_message = "auth-mfa-enroll must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["auth-mfa-activate"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "DEVICE_TRUST_SECONDS", "FUNCTION_KEY", "HOLDFAST_ENV", "LOGIN_SESSION_TTL_SECONDS", "LOG_LEVEL", "MAX_LOGIN_ATTEMPTS", "MAX_MFA_ATTEMPTS", "MAX_SESSIONS_PER_USER", "MFA_SESSION_TTL_SECONDS", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS", "MFA_ISSUER", "MFA_KEY_ID"])
    error_message = "auth-mfa-activate must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["auth-mfa-disable"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "DEVICE_TRUST_SECONDS", "FUNCTION_KEY", "HOLDFAST_ENV", "LOGIN_SESSION_TTL_SECONDS", "LOG_LEVEL", "MAX_LOGIN_ATTEMPTS", "MAX_MFA_ATTEMPTS", "MAX_SESSIONS_PER_USER", "MFA_SESSION_TTL_SECONDS", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS", "MFA_ISSUER", "MFA_KEY_ID"])
    error_message = "auth-mfa-disable must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["auth-password"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "CREDENTIAL_VERIFIER", "DEVICE_TRUST_SECONDS", "FUNCTION_KEY", "HOLDFAST_ENV", "LOGIN_SESSION_TTL_SECONDS", "LOG_LEVEL", "MAX_LOGIN_ATTEMPTS", "MAX_MFA_ATTEMPTS", "MAX_SESSIONS_PER_USER", "MFA_SESSION_TTL_SECONDS", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS"])
    error_message = "auth-password must get exactly these variables."
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
  assert {
    condition     = toset(keys(module.service.environment["auth-register"])) == toset(["FUNCTION_KEY", "HOLDFAST_ENV", "LOG_LEVEL", "REGISTRATION_ENABLED", "SESSIONS_TABLE"])
    error_message = "auth-register must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["auth-login"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "CREDENTIAL_VERIFIER", "DEVICE_TRUST_SECONDS", "FUNCTION_KEY", "HOLDFAST_ENV", "LOGIN_SESSION_TTL_SECONDS", "LOG_LEVEL", "MAX_LOGIN_ATTEMPTS", "MAX_MFA_ATTEMPTS", "MAX_SESSIONS_PER_USER", "MFA_SESSION_TTL_SECONDS", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS"])
    error_message = "auth-login must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["auth-refresh"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "FUNCTION_KEY", "HOLDFAST_ENV", "LOG_LEVEL", "MAX_SESSIONS_PER_USER", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS"])
    error_message = "auth-refresh must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["auth-logout"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "FUNCTION_KEY", "HOLDFAST_ENV", "LOG_LEVEL", "MAX_SESSIONS_PER_USER", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS"])
    error_message = "auth-logout must get exactly these variables."
  }
}

run "only_the_functions_for_second_factors_use_their_key_and_only_for_one_user" {
  command = apply
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

run "refuses_sessions_without_end" {
  command = plan
  variables {
    session_absolute_seconds        = 0
    stay_signed_in_absolute_seconds = 0
    max_sessions_per_user           = 11
    refresh_grace_seconds           = 61
    cache_max_age_seconds           = 0
    cache_provider                  = "memory"
    allowed_origins                 = ["https://*.example.com"]
  }
  expect_failures = [var.allowed_origins, var.session_absolute_seconds, var.stay_signed_in_absolute_seconds, var.max_sessions_per_user, var.refresh_grace_seconds, var.cache_max_age_seconds, var.cache_provider]
}

run "refuses_idle_longer_than_absolute" {
  command = plan
  variables {
    session_idle_seconds        = 86401
    stay_signed_in_idle_seconds = 2592001
  }
  expect_failures = [var.session_idle_seconds, var.stay_signed_in_idle_seconds]
}

run "refuses_an_access_token_that_outlives_the_idle_session" {
  command = plan
  variables {
    access_token_ttl_seconds = 3601
  }
  expect_failures = [var.access_token_ttl_seconds]
}

run "refuses_wrong_values" {
  command = plan
  variables {
    max_login_attempts          = 0
    login_session_ttl_seconds   = 299
    sign_in_failures_per_minute = 0
    max_mfa_attempts            = 11
    device_trust_seconds        = 0
    mfa_issuer                  = "a:b"
    credential_verifier         = "ldap"
  }
  expect_failures = [var.credential_verifier, var.max_mfa_attempts, var.device_trust_seconds, var.mfa_issuer, var.max_login_attempts, var.login_session_ttl_seconds, var.sign_in_failures_per_minute]
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

run "refuses_a_redis_elsewhere" {
  command = plan
  variables {
    local_redis_url = "redis://cache.example.com:6379/0"
  }
  expect_failures = [var.local_redis_url]
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
