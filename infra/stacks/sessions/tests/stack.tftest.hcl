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
  target = data.aws_ssm_parameter.input["platform/sessions-table-name"]
  values = { insecure_value = "sessions" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/sessions-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/connections-table-name"]
  values = { insecure_value = "connections" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/connections-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/connections" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/activity-table-name"]
  values = { insecure_value = "activity" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/activity-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/activity" }
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
      for grant in grants : replace(grant, "arn:aws:dynamodb:us-east-1:123456789012:table/", "") if !startswith(grant, "logs:") && !startswith(grant, "xray:")
      ] }) == jsonencode({
      sessions-admin          = ["dynamodb:BatchWriteItem activity", "dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem activity", "dynamodb:DeleteItem connections", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query activity", "dynamodb:Query connections", "dynamodb:Query sessions", "dynamodb:UpdateItem activity", "dynamodb:UpdateItem sessions"]
      sessions-current        = ["dynamodb:GetItem sessions", "dynamodb:UpdateItem sessions"]
      sessions-devices        = ["dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      sessions-list           = ["dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      sessions-remove-devices = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      sessions-revoke         = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      sessions-revoke-all     = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      sessions-trust          = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
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
  assert {
    condition     = toset(keys(module.service.environment["sessions-list"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "FUNCTION_KEY", "HOLDFAST_ENV", "LOG_LEVEL", "MAX_SESSIONS_PER_USER", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS"])
    error_message = "sessions-list must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["sessions-current"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "FUNCTION_KEY", "HOLDFAST_ENV", "LOG_LEVEL", "MAX_SESSIONS_PER_USER", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS"])
    error_message = "sessions-current must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["sessions-revoke"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "FUNCTION_KEY", "HOLDFAST_ENV", "LOG_LEVEL", "MAX_SESSIONS_PER_USER", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS"])
    error_message = "sessions-revoke must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["sessions-revoke-all"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "FUNCTION_KEY", "HOLDFAST_ENV", "LOG_LEVEL", "MAX_SESSIONS_PER_USER", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS"])
    error_message = "sessions-revoke-all must get exactly these variables."
  }
  assert {
    condition     = toset(keys(module.service.environment["sessions-trust"])) == toset(["ACCESS_TOKEN_TTL_SECONDS", "ALLOWED_ORIGINS", "CACHE_MAX_AGE_SECONDS", "CACHE_PROVIDER", "DEVICE_TRUST_SECONDS", "FUNCTION_KEY", "HOLDFAST_ENV", "LOG_LEVEL", "MAX_SESSIONS_PER_USER", "REFRESH_GRACE_SECONDS", "SESSIONS_TABLE", "SESSION_ABSOLUTE_SECONDS", "SESSION_IDLE_SECONDS", "STAY_SIGNED_IN_ABSOLUTE_SECONDS", "STAY_SIGNED_IN_IDLE_SECONDS"])
    error_message = "sessions-trust must get exactly these variables."
  }
}

run "operators_get_what_their_commands_need_and_no_more" {
  command = apply
  assert {
    condition     = setsubtract(keys(module.service.environment["sessions-admin"]), keys(module.service.environment["sessions-list"])) == toset(["ACTIVITY_TABLE", "CONNECTIONS_TABLE", "MAX_LOGIN_ATTEMPTS"])
    error_message = "sessions-admin gets the session policy, the attempt budget, and the tables that a user leaves rows in."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    device_trust_seconds = 0
    max_login_attempts   = 0
  }
  expect_failures = [var.device_trust_seconds, var.max_login_attempts]
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
    condition     = alltrue([for key, environment in module.service.environment : environment.CACHE_PROVIDER == "redis" && environment.REDIS_URL == "redis://127.0.0.1:6379/0"])
    error_message = "Every function of this stack goes through the cache."
  }
}

run "refuses_a_redis_elsewhere" {
  command = plan
  variables {
    local_redis_url = "redis://cache.example.com:6379/0"
  }
  expect_failures = [var.local_redis_url]
}
