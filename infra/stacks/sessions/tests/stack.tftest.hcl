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
  target = module.context.data.aws_ssm_parameter.input["platform/sessions-table-name"]
  values = { insecure_value = "sessions" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/sessions-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/connections-table-name"]
  values = { insecure_value = "connections" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/connections-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/connections" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/activity-table-name"]
  values = { insecure_value = "activity" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/activity-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/activity" }
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
    device_trust_seconds            = 107
    max_login_attempts              = 7
    max_mfa_attempts                = 8
    trusted_proxy                   = "cloudfront"
    origin_secret_sha256            = "0000000000000000000000000000000000000000000000000000000000000001"
    log_level                       = "debug"
  }
  assert {
    condition = jsonencode(module.service.environment) == jsonencode({
      sessions-admin = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ACTIVITY_TABLE                  = "activity"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        CONNECTIONS_TABLE               = "connections"
        FUNCTION_KEY                    = "sessions-admin"
        HOLDFAST_ENV                    = "test"
        LOG_LEVEL                       = "debug"
        MAX_LOGIN_ATTEMPTS              = "7"
        MAX_MFA_ATTEMPTS                = "8"
        MAX_SESSIONS_PER_USER           = "3"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
      }
      sessions-current = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        FUNCTION_KEY                    = "sessions-current"
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
      sessions-authorizer = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        FUNCTION_KEY                    = "sessions-authorizer"
        HOLDFAST_ENV                    = "test"
        LOG_LEVEL                       = "debug"
        MAX_SESSIONS_PER_USER           = "3"
        REFRESH_GRACE_SECONDS           = "12"
        SESSIONS_TABLE                  = "sessions"
        SESSION_ABSOLUTE_SECONDS        = "104"
        SESSION_IDLE_SECONDS            = "103"
        STAY_SIGNED_IN_ABSOLUTE_SECONDS = "106"
        STAY_SIGNED_IN_IDLE_SECONDS     = "105"
      }
      sessions-create = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        FUNCTION_KEY                    = "sessions-create"
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
      sessions-devices = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        FUNCTION_KEY                    = "sessions-devices"
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
      sessions-introspect = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        FUNCTION_KEY                    = "sessions-introspect"
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
      sessions-list = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        FUNCTION_KEY                    = "sessions-list"
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
      sessions-remove-devices = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        FUNCTION_KEY                    = "sessions-remove-devices"
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
      sessions-revoke = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        FUNCTION_KEY                    = "sessions-revoke"
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
      sessions-revoke-all = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        FUNCTION_KEY                    = "sessions-revoke-all"
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
      sessions-trust = {
        ACCESS_TOKEN_TTL_SECONDS        = "101"
        ALLOWED_ORIGINS                 = "https://a.example,https://b.example"
        CACHE_MAX_AGE_SECONDS           = "11"
        CACHE_PROVIDER                  = "dynamodb"
        DEVICE_TRUST_SECONDS            = "107"
        FUNCTION_KEY                    = "sessions-trust"
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
    })
    error_message = "Each function gets exactly these variables, with the values that this run gives the stack."
  }
}

run "with_default_settings" {
  command = apply

  # The stack says which routes it has attached.
  assert {
    condition     = aws_ssm_parameter.routes["this"].name == "/holdfast/test/routes/sessions" && toset(split(",", aws_ssm_parameter.routes["this"].value)) == toset(["DELETE /v1/devices", "DELETE /v1/devices/{deviceId}", "DELETE /v1/sessions", "DELETE /v1/sessions/{sessionId}", "GET /v1/devices", "GET /v1/sessions", "GET /v1/sessions/current", "HEAD /v1/devices", "HEAD /v1/sessions", "HEAD /v1/sessions/current", "POST /v1/sessions", "POST /v1/sessions/introspect", "PUT /v1/sessions/{sessionId}/trust"])
    error_message = "The stack platform sets limits for these routes."
  }

  # Without a proxy, no function is told of one.
  assert {
    condition     = length(module.service.reserved_concurrency) == 0 && !anytrue([for environment in values(module.service.environment) : can(environment.TRUSTED_PROXY) || can(environment.ORIGIN_SECRET_SHA256)])
    error_message = "The client's address is what API Gateway saw; nothing is reserved."
  }

  # Services may call one route each, or invoke its function.
  assert {
    condition = jsondecode(output.policy_documents.introspect).Statement == [
      { Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = [module.service.functions["sessions-introspect"].arn] },
      { Effect = "Allow", Action = ["execute-api:Invoke"], Resource = ["arn:aws:execute-api:us-east-1:123456789012:http/*/POST/v1/sessions/introspect"] },
    ] && jsondecode(output.policy_documents.create_session).Statement[1].Resource == ["arn:aws:execute-api:us-east-1:123456789012:http/*/POST/v1/sessions"]
    error_message = "One route and one function: ${output.policy_documents.introspect}"
  }
  assert {
    condition     = output.authorizer.name == module.service.functions["sessions-authorizer"].name && output.authorizer.invoke_arn != null
    error_message = "The module session-authorizer takes this function."
  }
  assert {
    condition = output.authorizer_instance.environment == module.service.environment["sessions-authorizer"] && output.authorizer_instance.artifact.s3_key == "sessions-authorizer/9f86d081.zip" && jsonencode(output.authorizer_instance.permissions) == jsonencode({
      Sessions = { actions = ["dynamodb:GetItem", "dynamodb:UpdateItem"], conditions = {}, resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/sessions"] }
    }) && output.authorizer_instance.permissions_boundary_arn == "arn:aws:iam::123456789012:policy/holdfast-test-boundary" && output.authorizer_instance.alias_owner == "terraform"
    error_message = "An instance of its own gets the code, the environment and the rights of this function, and Terraform moves its alias: ${jsonencode(output.authorizer_instance)}"
  }

  # Every role gets the boundary of the environment.
  assert {
    condition     = toset(values(module.service.permissions_boundary_arns)) == toset(["arn:aws:iam::123456789012:policy/holdfast-test-boundary"])
    error_message = "A pipeline can make no role without it."
  }

  # Each role allows exactly what its function needs.
  assert {
    condition = jsonencode({ for key, grants in module.service.grants : key => [
      for grant in grants : replace(grant, "arn:aws:dynamodb:us-east-1:123456789012:table/", "") if !startswith(grant, "logs:") && !startswith(grant, "xray:")
      ] }) == jsonencode({
      sessions-admin          = ["dynamodb:ConditionCheckItem sessions", "dynamodb:DeleteItem activity", "dynamodb:DeleteItem connections", "dynamodb:DeleteItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query connections", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      sessions-authorizer     = ["dynamodb:GetItem sessions", "dynamodb:UpdateItem sessions"]
      sessions-create         = ["dynamodb:ConditionCheckItem sessions", "dynamodb:GetItem sessions", "dynamodb:PutItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      sessions-current        = ["dynamodb:GetItem sessions", "dynamodb:UpdateItem sessions"]
      sessions-devices        = ["dynamodb:GetItem sessions", "dynamodb:Query sessions", "dynamodb:UpdateItem sessions"]
      sessions-introspect     = ["dynamodb:GetItem sessions", "dynamodb:UpdateItem sessions"]
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
}

run "functions_can_have_executions_reserved" {
  command = apply
  variables { reserved_concurrency = { sessions-current = 7, events-relay = 3 } }
  assert {
    condition     = module.service.reserved_concurrency == { sessions-current = 7 }
    error_message = "Functions of this stack only; the others have none reserved."
  }
}

# A deploy of Holdfast moves the aliases of its own functions only.
run "terraform_moves_the_alias_of_an_instance" {
  command = plan
  variables { alias_owner = "deployer" }
  assert {
    condition     = output.authorizer_instance.alias_owner == "terraform"
    error_message = "No deploy of Holdfast knows the instance: ${output.authorizer_instance.alias_owner}"
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
    device_trust_seconds = 0
    max_login_attempts   = 0
    max_mfa_attempts     = 11
  }
  expect_failures = [var.device_trust_seconds, var.max_login_attempts, var.max_mfa_attempts]
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
