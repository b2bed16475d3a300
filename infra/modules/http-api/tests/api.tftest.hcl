mock_provider "aws" {
  mock_resource "aws_apigatewayv2_api" {
    defaults = { id = "api", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:api" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/apigateway/example" }
  }
}

variables { name = "example" }

run "throttling_is_always_set" {
  command = apply
  assert {
    condition     = aws_apigatewayv2_stage.this["this"].default_route_settings[0].throttling_rate_limit > 0 && aws_apigatewayv2_stage.this["this"].default_route_settings[0].throttling_burst_limit > 0
    error_message = "A settings block without limits sends 0: every request would be answered 429."
  }
  assert {
    condition     = aws_apigatewayv2_stage.this["this"].name == "$default" && aws_apigatewayv2_stage.this["this"].auto_deploy
    error_message = "Routes of other stacks must go live by themselves."
  }
  assert {
    condition     = !strcontains(lower(aws_apigatewayv2_stage.this["this"].access_log_settings[0].format), "header") && !strcontains(lower(aws_apigatewayv2_stage.this["this"].access_log_settings[0].format), "path")
    error_message = "The access log must hold nothing that can carry a token or an id."
  }
  assert {
    condition     = length(aws_apigatewayv2_api.this["this"].cors_configuration) == 0
    error_message = "Without origins there is no CORS."
  }
  assert {
    condition = jsondecode(aws_apigatewayv2_stage.this["this"].access_log_settings[0].format) == {
      integrationError   = "$context.integrationErrorMessage"
      integrationLatency = "$context.integrationLatency"
      requestId          = "$context.requestId"
      responseLatency    = "$context.responseLatency"
      responseLength     = "$context.responseLength"
      routeKey           = "$context.routeKey"
      sourceIp           = "$context.identity.sourceIp"
      status             = "$context.status"
      time               = "$context.requestTime"
    }
    error_message = "Each field of the access log was looked at: none can carry a token."
  }
}

run "cors_names_its_origins" {
  command = plan
  variables {
    cors     = { allow_origins = ["https://app.example.com"], allow_credentials = true, expose_headers = ["etag"] }
    api_tags = { fixed = "yes" }
    tags     = { team = "a" }
  }
  assert {
    condition     = aws_apigatewayv2_api.this["this"].cors_configuration[0].allow_origins == toset(["https://app.example.com"]) && aws_apigatewayv2_api.this["this"].cors_configuration[0].allow_credentials
    error_message = "The origin given must be the only one."
  }
  assert {
    condition     = aws_apigatewayv2_api.this["this"].tags == tomap({ fixed = "yes", team = "a" }) && aws_apigatewayv2_stage.this["this"].tags == tomap({ team = "a" })
    error_message = "api_tags belong to the API alone."
  }
}

run "a_route_can_have_limits_of_its_own" {
  command = plan
  variables {
    route_throttles = {
      "POST /v1/orders" = { rate_limit = 5, burst_limit = 10 }
      "$default"        = { rate_limit = 1, burst_limit = 2 }
    }
  }
  assert {
    condition     = output.throttling == { default = "1000 a second, burst 500", "POST /v1/orders" = "5 a second, burst 10", "$default" = "1 a second, burst 2" }
    error_message = "The named routes have their own limits, the others the stage's."
  }
  assert {
    condition     = alltrue([for settings in aws_apigatewayv2_stage.this["this"].route_settings : settings.detailed_metrics_enabled])
    error_message = "A route's own settings replace the stage's, its metrics too."
  }
}

run "refuses_limits_of_what_is_no_route" {
  command = plan
  variables { route_throttles = { "/v1/orders" = { rate_limit = 5, burst_limit = 10 } } }
  expect_failures = [var.route_throttles]
}

run "refuses_a_route_that_nobody_could_call" {
  command = plan
  variables { route_throttles = { "POST /v1/orders" = { rate_limit = 5, burst_limit = 0 } } }
  expect_failures = [var.route_throttles]
}

run "access_logs_can_be_off" {
  command = plan
  variables { access_logs_enabled = false }
  assert {
    condition     = length(aws_cloudwatch_log_group.access) == 0 && length(aws_apigatewayv2_stage.this["this"].access_log_settings) == 0
    error_message = "No log group without logs."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_apigatewayv2_api.this) + length(aws_apigatewayv2_stage.this) + length(aws_cloudwatch_log_group.access) == 0
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name               = "has space"
    cors               = { allow_origins = ["*"], allow_credentials = true }
    throttling         = { rate_limit = 0, burst_limit = 10 }
    log_retention_days = 0
    tags               = { "aws:owner" = "me" }
    api_tags           = { "aws:owner" = "me" }
    kms_key_arn        = "alias/mine"
    description        = format("%1025s", "x")
  }
  expect_failures = [var.name, var.cors, var.throttling, var.log_retention_days, var.tags, var.api_tags, var.kms_key_arn, var.description]
}

run "refuses_an_origin_with_a_path_and_no_burst" {
  command = plan
  variables {
    cors       = { allow_origins = ["https://app.example.com/"] }
    throttling = { rate_limit = 10, burst_limit = null }
  }
  expect_failures = [var.cors, var.throttling]
}

run "refuses_a_preflight_age_over_a_day" {
  command = plan
  variables { cors = { max_age_seconds = 86401 } }
  expect_failures = [var.cors]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_apigatewayv2_api.this["this"].name == "team-example"
    error_message = "The name must start with the prefix."
  }
}

run "callers_may_invoke_the_whole_api" {
  command = apply
  assert {
    condition     = jsondecode(output.policy_documents.invoke).Statement[0].Resource == ["${output.execution_arn}/$default/*"]
    error_message = "Every route of the one stage."
  }
}

run "each_setting_is_what_was_asked_for" {
  command = apply
  variables {
    cors                         = { allow_origins = ["https://a.example"], allow_methods = ["GET"], allow_headers = ["x-a"], expose_headers = ["x-b"], allow_credentials = true, max_age_seconds = 30 }
    throttling                   = { rate_limit = 20, burst_limit = 30 }
    log_retention_days           = 7
    kms_key_arn                  = "arn:aws:kms:us-east-1:123456789012:key/k"
    disable_execute_api_endpoint = true
    detailed_metrics_enabled     = false
    tags                         = { team = "a" }
  }
  assert {
    condition = jsonencode([output.settings, output.cors, output.throttling]) == jsonencode([
      {
        access_log_days        = 7
        access_log_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
        access_logs            = true
        deploys_by_itself      = true
        detailed_metrics       = false
        endpoint_disabled      = true
        tags                   = { team = "a" }
      },
      { allow_credentials = true, allow_headers = ["x-a"], allow_methods = ["GET"], allow_origins = ["https://a.example"], expose_headers = ["x-b"], max_age_seconds = 30 },
      { default = "20 a second, burst 30" },
    ])
    error_message = "The API as asked for: ${jsonencode([output.settings, output.cors, output.throttling])}"
  }
}

run "authorizers_belong_to_the_api" {
  command = apply
  variables {
    jwt_authorizers = { staff = { issuer = "https://login.example.com", audiences = ["shop"] } }
    lambda_authorizers = { keys = {
      function_name      = "check-key"
      function_qualifier = "live"
      invoke_arn         = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:check-key/invocations"
      identity_sources   = ["$request.header.x-api-key"]
      result_ttl_seconds = 30
    } }
  }
  assert {
    condition     = [for authorizer in aws_apigatewayv2_authorizer.jwt : jsonencode([authorizer.api_id == aws_apigatewayv2_api.this["this"].id, authorizer.name, authorizer.authorizer_type, authorizer.identity_sources, authorizer.jwt_configuration[0].issuer, authorizer.jwt_configuration[0].audience])] == [jsonencode([true, "staff", "JWT", ["$request.header.Authorization"], "https://login.example.com", ["shop"]])]
    error_message = "Tokens of this issuer for this audience."
  }
  assert {
    condition     = [for authorizer in aws_apigatewayv2_authorizer.lambda : jsonencode([authorizer.api_id == aws_apigatewayv2_api.this["this"].id, authorizer.name, authorizer.authorizer_type, authorizer.identity_sources, authorizer.authorizer_uri, authorizer.authorizer_payload_format_version, authorizer.enable_simple_responses, authorizer.authorizer_result_ttl_in_seconds])] == [jsonencode([true, "keys", "REQUEST", ["$request.header.x-api-key"], var.lambda_authorizers.keys.invoke_arn, "2.0", true, 30])]
    error_message = "The function as asked for."
  }
  assert {
    condition     = [for permission in aws_lambda_permission.authorizer : [permission.action, permission.function_name, permission.qualifier, permission.principal, permission.source_arn]] == [["lambda:InvokeFunction", "check-key", "live", "apigateway.amazonaws.com", "${aws_apigatewayv2_api.this["this"].execution_arn}/authorizers/${output.authorizer_ids.keys}"]] && output.authorizer_ids.staff == aws_apigatewayv2_authorizer.jwt["staff"].id
    error_message = "Only this authorizer may invoke the function."
  }
}

run "refuses_tokens_for_every_audience" {
  command = plan
  variables { jwt_authorizers = { staff = { issuer = "https://login.example.com", audiences = [] } } }
  expect_failures = [var.jwt_authorizers]
}

run "refuses_a_token_in_the_body" {
  command = plan
  variables { jwt_authorizers = { staff = { issuer = "https://login.example.com", audiences = ["shop"], identity_source = "$request.body.token" } } }
  expect_failures = [var.jwt_authorizers]
}

run "refuses_an_authorizer_by_its_functions_own_arn" {
  command = plan
  variables {
    lambda_authorizers = { keys = { function_name = "check-key", invoke_arn = "arn:aws:lambda:us-east-1:123456789012:function:check-key" } }
  }
  expect_failures = [var.lambda_authorizers]
}

run "refuses_a_result_kept_for_everybody" {
  command = plan
  variables {
    lambda_authorizers = { keys = {
      function_name      = "check-key"
      invoke_arn         = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f/invocations"
      identity_sources   = []
      result_ttl_seconds = 30
    } }
  }
  expect_failures = [var.lambda_authorizers]
}
