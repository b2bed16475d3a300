mock_provider "aws" {
  mock_resource "aws_apigatewayv2_authorizer" {
    defaults = { id = "auth2" }
  }
  mock_resource "aws_api_gateway_authorizer" {
    defaults = { id = "auth1" }
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

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_apigatewayv2_authorizer.this) + length(aws_api_gateway_authorizer.this) + length(aws_lambda_permission.this) == 0 && output.id == null
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
