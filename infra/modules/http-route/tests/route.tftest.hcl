mock_provider "aws" {}

variables {
  api_id            = "api"
  api_execution_arn = "arn:aws:execute-api:us-east-1:123456789012:api"
  route_keys        = ["DELETE /v1/things/{thingId}/parts"]
  function_name     = "example"
  invoke_arn        = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:example/invocations"
}

run "a_permission_is_for_its_route_only" {
  command = plan
  assert {
    condition     = aws_lambda_permission.this["DELETE /v1/things/{thingId}/parts"].source_arn == "arn:aws:execute-api:us-east-1:123456789012:api/*/DELETE/v1/things/*/parts"
    error_message = "The source must be the method and path, with the parameter open."
  }
  assert {
    condition     = aws_lambda_permission.this["DELETE /v1/things/{thingId}/parts"].statement_id == "http-DELETE-v1-things-thingId-parts"
    error_message = "A statement id has letters, digits, '-' and '_' only."
  }
  assert {
    condition     = aws_apigatewayv2_route.this["DELETE /v1/things/{thingId}/parts"].authorization_type == "NONE" && aws_apigatewayv2_integration.this["this"].payload_format_version == "2.0"
    error_message = "Payload 2.0; the function checks the caller."
  }
}

run "the_default_route_and_iam" {
  command = plan
  variables {
    route_keys           = ["$default"]
    authorization        = "AWS_IAM"
    function_qualifier   = "live"
    timeout_milliseconds = 1234
  }
  assert {
    condition     = aws_lambda_permission.this["$default"].source_arn == "arn:aws:execute-api:us-east-1:123456789012:api/*/$default" && aws_lambda_permission.this["$default"].qualifier == "live"
    error_message = "The default route's own source, for the alias."
  }
  assert {
    condition     = aws_apigatewayv2_route.this["$default"].authorization_type == "AWS_IAM"
    error_message = "Signed requests only."
  }
  assert {
    condition = jsonencode(output.settings) == jsonencode({
      calls          = "AWS_PROXY by POST arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:example/invocations, payload 2.0, 1234 ms"
      api_ids        = ["api"]
      authorizer_ids = []
      permission     = { "$default" = "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:api/*/$default to example:live" }
    })
    error_message = "The routes as asked for: ${jsonencode(output.settings)}"
  }
}

run "an_authorizer_decides_about_each_route" {
  command = plan
  variables {
    route_keys    = ["GET /v1/orders", "POST /v1/orders"]
    authorization = "CUSTOM"
    authorizer_id = "auth1"
  }
  assert {
    condition     = alltrue([for route in aws_apigatewayv2_route.this : route.authorization_type == "CUSTOM" && route.authorizer_id == "auth1"]) && output.settings.authorizer_ids == tolist(["auth1"])
    error_message = "Without its id, API Gateway asks nobody."
  }
}

run "refuses_an_authorizer_that_is_not_asked" {
  command = plan
  variables { authorizer_id = "auth1" }
  expect_failures = [var.authorizer_id]
}

run "refuses_routes_that_ask_no_authorizer" {
  command = plan
  variables { authorization = "CUSTOM" }
  expect_failures = [var.authorizer_id]
}

run "create_false_makes_nothing" {
  command = plan
  variables { create = false }
  assert {
    condition     = length(aws_apigatewayv2_route.this) + length(aws_apigatewayv2_integration.this) + length(aws_lambda_permission.this) == 0
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    route_keys           = ["FETCH /v1/things"]
    authorization        = "MAYBE"
    timeout_milliseconds = 30000
    api_id               = "https://example.com"
    api_execution_arn    = "arn:aws:apigateway:us-east-1::/apis/a"
    function_name        = "arn:aws:lambda:us-east-1:123456789012:function:example"
    function_qualifier   = "not an alias"
    invoke_arn           = "arn:aws:lambda:us-east-1:123456789012:function:example"
  }
  expect_failures = [var.route_keys, var.authorization, var.timeout_milliseconds, var.api_id, var.api_execution_arn, var.function_name, var.function_qualifier, var.invoke_arn]
}

run "refuses_no_routes" {
  command = plan
  variables { route_keys = [] }
  expect_failures = [var.route_keys]
}

run "callers_may_invoke_exactly_these_routes" {
  command = plan
  variables { route_keys = ["GET /v1/reports/{reportId}", "ANY /v1/admin/{proxy+}"] }
  assert {
    condition = jsondecode(output.policy_documents.invoke).Statement[0].Resource == [
      "arn:aws:execute-api:us-east-1:123456789012:api/*/*/v1/admin/*",
      "arn:aws:execute-api:us-east-1:123456789012:api/*/GET/v1/reports/*",
    ]
    error_message = "Method and path of each route; ANY is every method."
  }
}

run "an_authorizer_checks_the_callers_of_its_routes" {
  command = plan
  variables {
    authorization        = "JWT"
    authorizer_id        = "a1b2c3"
    authorization_scopes = ["orders:read"]
  }
  assert {
    condition     = [for route in aws_apigatewayv2_route.this : [route.authorization_type, route.authorizer_id, route.authorization_scopes]] == [["JWT", "a1b2c3", toset(["orders:read"])]]
    error_message = "The authorizer and the scopes as asked for."
  }
}

run "refuses_an_authorizer_that_nothing_asks_for" {
  command = plan
  variables {
    authorizer_id        = "a1b2c3"
    authorization_scopes = ["orders:read"]
  }
  expect_failures = [var.authorizer_id, var.authorization_scopes]
}
