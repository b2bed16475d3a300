mock_provider "aws" {
  mock_resource "aws_apigatewayv2_authorizer" {
    defaults = { id = "auth2" }
  }
  mock_resource "aws_api_gateway_authorizer" {
    defaults = { id = "auth1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { id = "role", arn = "arn:aws:iam::123456789012:role/role" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:own" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:own", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/own", version = "7" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:own:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/own:live" }
  }
}

variables {
  api = {
    type          = "HTTP"
    id            = "api"
    execution_arn = "arn:aws:execute-api:us-east-1:123456789012:api"
  }
  function = {
    name       = "holdfast-test-sessions-authorizer"
    qualifier  = "live"
    invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f:live/invocations"
  }
}

run "an_http_api_asks_for_every_request" {
  command = apply
  assert {
    condition = jsonencode(output.settings) == jsonencode({
      asks       = "REQUEST by ${var.function.invoke_arn}, payload 2.0, simple responses true, ttl 0, identity "
      permission = "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:api/authorizers/auth2 to holdfast-test-sessions-authorizer:live"
    })
    error_message = "Nothing is kept, and only this authorizer may invoke the alias: ${jsonencode(output.settings)}"
  }
  assert {
    condition     = output.id == "auth2" && output.revocation_bound_seconds == 0 && aws_apigatewayv2_authorizer.this["this"].name == "session"
    error_message = "The id for routes, and the bound on revocation."
  }
  assert {
    condition     = length(module.instance) == 0 && output.instance == null && length(output.watch) == 0
    error_message = "The shared function is that of the stack sessions."
  }
}

run "what_is_kept_is_kept_for_one_authorization_header" {
  command = apply
  variables {
    result_ttl_seconds = 30
    name_prefix        = "shop"
  }
  assert {
    condition     = output.settings.asks == "REQUEST by ${var.function.invoke_arn}, payload 2.0, simple responses true, ttl 30, identity $request.header.Authorization"
    error_message = "A cookie's result would count for requests of other sites: ${output.settings.asks}"
  }
  assert {
    condition     = output.revocation_bound_seconds == 30 && aws_apigatewayv2_authorizer.this["this"].name == "shop-session"
    error_message = "The bound on revocation is stated."
  }
}

run "a_rest_api_has_an_authorizer_of_the_type_request" {
  command = apply
  variables {
    api = { type = "REST", id = "rest", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:rest" }
  }
  assert {
    condition     = output.settings.asks == "REQUEST by ${var.function.invoke_arn}, ttl 0, identity " && output.id == "auth1"
    error_message = "Nothing is kept: ${output.settings.asks}"
  }
  assert {
    condition     = output.settings.permission == "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:rest/authorizers/auth1 to holdfast-test-sessions-authorizer:live" && length(aws_apigatewayv2_authorizer.this) == 0
    error_message = "Only this authorizer may invoke the function."
  }
}

run "what_a_rest_api_keeps_is_kept_for_one_authorization_header" {
  command = apply
  variables {
    api                = { type = "REST", id = "rest", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:rest" }
    result_ttl_seconds = 5
  }
  assert {
    condition     = output.settings.asks == "REQUEST by ${var.function.invoke_arn}, ttl 5, identity method.request.header.Authorization"
    error_message = "As for HTTP APIs: ${output.settings.asks}"
  }
}

run "a_websocket_api_asks_at_the_handshake" {
  command = apply
  variables {
    api = { type = "WEBSOCKET", id = "ws", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:ws" }
  }
  assert {
    condition     = strcontains(output.settings.asks, "REQUEST by ") && output.settings.permission == "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:ws/authorizers/auth2 to holdfast-test-sessions-authorizer:live"
    error_message = "Only this authorizer may invoke the function."
  }
  assert {
    condition     = output.revocation_bound_seconds == 7200
    error_message = "A socket is asked about once, and lives for two hours at most."
  }
}

run "an_instance_has_requirements_of_its_own" {
  command = apply
  variables {
    function = null
    instance = {
      artifact                 = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", s3_bucket = "artifacts", s3_key = "sessions-authorizer.zip" }
      architecture             = "x86_64"
      environment              = { SESSIONS_TABLE = "sessions", CACHE_PROVIDER = "dynamodb" }
      vpc                      = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
      memory_size_mb           = 384
      timeout_seconds          = 5
      application_log_level    = "DEBUG"
      system_log_level         = "WARN"
      tracing_enabled          = false
      log_retention_days       = 7
      kms_key_arn              = "arn:aws:kms:us-east-1:123456789012:key/k"
      permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
      code_signing_config_arn  = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0"
      permissions = {
        Sessions = { actions = ["dynamodb:GetItem", "dynamodb:UpdateItem"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/sessions"] }
        Cache    = { actions = ["elasticache:Connect"], resources = ["arn:aws:elasticache:us-east-1:123456789012:user:u"] }
      }
    }
    name_prefix     = "shop"
    require_mfa     = true
    max_age_seconds = 900
    tags            = { project = "shop" }
  }
  assert {
    condition     = output.instance.environment == tomap({ SESSIONS_TABLE = "sessions", CACHE_PROVIDER = "dynamodb", REQUIRE_MFA = "true", MAX_AGE_SECONDS = "900" })
    error_message = "What the function reads, and what this API asks for: ${jsonencode(output.instance.environment)}"
  }
  assert {
    condition = [for grant in output.instance.grants : grant if !startswith(grant, "ec2:")] == [
      "dynamodb:GetItem arn:aws:dynamodb:us-east-1:123456789012:table/sessions",
      "dynamodb:UpdateItem arn:aws:dynamodb:us-east-1:123456789012:table/sessions",
      "elasticache:Connect arn:aws:elasticache:us-east-1:123456789012:user:u",
      "kms:Decrypt arn:aws:kms:us-east-1:123456789012:key/k",
      "kms:GenerateDataKey arn:aws:kms:us-east-1:123456789012:key/k",
      "logs:CreateLogStream arn:aws:logs:us-east-1:123456789012:log-group:own:*",
      "logs:PutLogEvents arn:aws:logs:us-east-1:123456789012:log-group:own:*",
    ]
    error_message = "A role with the rights of the definition, and those of its key, its log and its network: ${jsonencode(output.instance.grants)}"
  }
  assert {
    condition = jsonencode(merge(module.instance["this"].settings, {
      artifact                = module.instance["this"].artifact
      code_hash               = module.instance["this"].source_code_hash
      code_signing_config_arn = module.instance["this"].definition.code_signing_config_arn
      vpc                     = module.instance["this"].vpc
      })) == jsonencode(merge({
      alias_owner          = "terraform"
      architectures        = ["x86_64"]
      artifacts_bucket     = "artifacts"
      kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/k"
      log_days             = 7
      log_format           = "JSON"
      log_kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/k"
      log_level            = "DEBUG"
      memory_mb            = 384
      publishes_versions   = true
      reserved_concurrency = null
      system_log_level     = "WARN"
      timeout_seconds      = 5
      tracing              = "PassThrough"
      }, {
      artifact                = "artifacts/sessions-authorizer.zip"
      code_hash               = base64sha256("test")
      code_signing_config_arn = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0"
      vpc                     = { security_group_ids = ["sg-1"], subnet_ids = ["subnet-1"] }
    }))
    error_message = "The code and the settings of the definition: ${jsonencode(module.instance["this"].settings)}"
  }
  assert {
    condition     = output.instance.name == "shop-session-authorizer" && module.instance["this"].permissions_boundary_arn == "arn:aws:iam::123456789012:policy/boundary" && module.instance["this"].description == "Session authorizer of the API api"
    error_message = "A name of its own, and the boundary."
  }
  assert {
    condition     = output.settings.asks == "REQUEST by arn:aws:apigateway:us-east-1:lambda:path/own:live, payload 2.0, simple responses true, ttl 0, identity " && output.settings.permission == "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:api/authorizers/auth2 to shop-session-authorizer:live"
    error_message = "The API asks the alias of the instance, and may invoke nothing else: ${jsonencode(output.settings)}"
  }
  assert {
    condition     = jsonencode(output.watch) == jsonencode({ shop-session-authorizer = { name = "shop-session-authorizer", timeout_seconds = 5, max_iterator_age_seconds = null } })
    error_message = "Alarms need name and time-out."
  }
  assert {
    condition     = module.instance["this"].definition.tags == tomap({ project = "shop" })
    error_message = "The function has the tags."
  }
}

run "an_instance_without_requirements_asks_for_a_live_session" {
  command = apply
  variables {
    function = null
    instance = {
      artifact    = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", filename = "authorizer.zip" }
      environment = { SESSIONS_TABLE = "sessions" }
      permissions = { Sessions = { actions = ["dynamodb:GetItem", "dynamodb:UpdateItem"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/sessions"] } }
      alias_owner = "none"
    }
    api = { type = "REST", id = "rest", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:rest" }
  }
  assert {
    condition     = output.instance.environment == tomap({ SESSIONS_TABLE = "sessions", REQUIRE_MFA = "false" }) && output.instance.name == "session-authorizer"
    error_message = "Every live session passes."
  }
  assert {
    condition     = output.settings.asks == "REQUEST by arn:aws:apigateway:us-east-1:lambda:path/own, ttl 0, identity " && output.settings.permission == "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:rest/authorizers/auth1 to session-authorizer"
    error_message = "Without an alias, the function: ${jsonencode(output.settings)}"
  }
  assert {
    condition = jsonencode({ for name in ["log_level", "log_days", "memory_mb", "timeout_seconds", "tracing"] : name => module.instance["this"].settings[name] }) == jsonencode({
      log_level = "INFO", log_days = 30, memory_mb = 256, timeout_seconds = 10, tracing = "Active"
    })
    error_message = "The defaults of the module lambda-function."
  }
}

run "a_function_of_another_account_is_permitted_there" {
  command = apply
  variables {
    create_permission = false
    function = {
      name       = "arn:aws:lambda:us-east-1:210987654321:function:holdfast-test-sessions-authorizer"
      qualifier  = "live"
      invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:210987654321:function:f:live/invocations"
    }
  }
  assert {
    condition     = output.settings.permission == null && output.source_arn == "arn:aws:execute-api:us-east-1:123456789012:api/authorizers/auth2"
    error_message = "Credentials of this account cannot change the policy of that function."
  }
  assert {
    condition     = output.settings.asks == "REQUEST by ${var.function.invoke_arn}, payload 2.0, simple responses true, ttl 0, identity "
    error_message = "The API asks that function."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables {
    create   = false
    function = null
    instance = {
      artifact    = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", filename = "authorizer.zip" }
      environment = { SESSIONS_TABLE = "sessions" }
      permissions = {}
    }
  }
  assert {
    condition     = length(aws_apigatewayv2_authorizer.this) + length(aws_api_gateway_authorizer.this) + length(aws_lambda_permission.this) + length(module.instance) == 0 && output.id == null && output.source_arn == null
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name = "not a name"
    api  = { type = "GRAPHQL", id = "api", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:api" }
    function = {
      name       = "f"
      invoke_arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
    }
  }
  expect_failures = [var.name, var.api, var.function]
}

run "refuses_to_keep_results_for_longer_than_an_hour" {
  command = plan
  variables { result_ttl_seconds = 3601 }
  expect_failures = [var.result_ttl_seconds]
}

run "refuses_an_id_that_is_an_address" {
  command = plan
  variables {
    api = { type = "HTTP", id = "https://example.com", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:api" }
  }
  expect_failures = [var.api]
}

run "refuses_a_wildcard_of_apis" {
  command = plan
  variables {
    api = { type = "HTTP", id = "api", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:*" }
  }
  expect_failures = [var.api]
}

run "refuses_a_websocket_api_that_keeps_results" {
  command = plan
  variables {
    api                = { type = "WEBSOCKET", id = "ws", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:ws" }
    result_ttl_seconds = 5
  }
  expect_failures = [var.result_ttl_seconds]
}

run "refuses_requirements_of_the_shared_function" {
  command = plan
  variables {
    require_mfa     = true
    max_age_seconds = 900
  }
  expect_failures = [var.require_mfa, var.max_age_seconds]
}

run "refuses_neither_and_odd_values" {
  command = plan
  variables {
    function        = null
    max_age_seconds = 2592001
    tags            = { "aws:owner" = "me" }
  }
  expect_failures = [var.function, var.max_age_seconds, var.tags]
}

run "refuses_an_instance_beside_the_shared_function" {
  command = plan
  variables {
    create_permission = false
    instance = {
      artifact    = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", filename = "authorizer.zip" }
      environment = { SESSIONS_TABLE = "sessions" }
      permissions = {}
    }
  }
  expect_failures = [var.function, var.create_permission]
}

run "refuses_rights_that_the_function_does_not_need" {
  command = plan
  variables {
    function = null
    instance = {
      artifact    = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", filename = "authorizer.zip" }
      environment = { SESSIONS_TABLE = "sessions" }
      permissions = { Sessions = { actions = ["dynamodb:GetItem", "dynamodb:DeleteItem"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/sessions"] } }
    }
  }
  expect_failures = [var.instance]
}

run "refuses_requirements_in_the_environment" {
  command = plan
  variables {
    function = null
    instance = {
      artifact    = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", filename = "authorizer.zip" }
      environment = { SESSIONS_TABLE = "sessions", REQUIRE_MFA = "true" }
      permissions = {}
    }
  }
  expect_failures = [var.instance]
}

run "refuses_a_name_that_is_too_long_for_its_function" {
  command = plan
  variables {
    function = null
    name     = "a12345678901234567890123456789012345678901234567890123"
    instance = {
      artifact    = { sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", filename = "authorizer.zip" }
      environment = { SESSIONS_TABLE = "sessions" }
      permissions = {}
    }
  }
  expect_failures = [var.name]
}
