mock_provider "aws" {
  mock_resource "aws_apigatewayv2_api" {
    defaults = { id = "ws", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:ws" }
  }
  mock_resource "aws_apigatewayv2_authorizer" {
    defaults = { id = "auth1" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/apigateway/example" }
  }
}

variables {
  name       = "example"
  authorizer = { function_name = "authorizer", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:authorizer/invocations" }
  routes = {
    "$connect"    = { function_name = "connect", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:connect/invocations" }
    "$default"    = { function_name = "frame", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:frame/invocations" }
    "$disconnect" = { function_name = "gone", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:gone/invocations" }
  }
}

run "throttling_is_always_set_and_frames_are_never_logged" {
  command = apply
  assert {
    condition     = aws_apigatewayv2_stage.this["this"].default_route_settings[0].throttling_rate_limit > 0 && aws_apigatewayv2_stage.this["this"].default_route_settings[0].throttling_burst_limit > 0
    error_message = "A settings block without limits sends 0: every request would be answered 429."
  }
  assert {
    condition     = aws_apigatewayv2_stage.this["this"].default_route_settings[0].data_trace_enabled == false
    error_message = "Data trace writes frames and tickets into the log."
  }
  assert {
    condition     = !strcontains(lower(aws_apigatewayv2_stage.this["this"].access_log_settings[0].format), "header") && !strcontains(lower(aws_apigatewayv2_stage.this["this"].access_log_settings[0].format), "query")
    error_message = "The access log must hold nothing that can carry a ticket."
  }
  assert {
    condition = jsondecode(aws_apigatewayv2_stage.this["this"].access_log_settings[0].format) == {
      authorizerError  = "$context.authorizer.error"
      connectionId     = "$context.connectionId"
      eventType        = "$context.eventType"
      integrationError = "$context.integrationErrorMessage"
      requestId        = "$context.requestId"
      routeKey         = "$context.routeKey"
      sourceIp         = "$context.identity.sourceIp"
      status           = "$context.status"
      time             = "$context.requestTime"
    }
    error_message = "Each field of the access log was looked at: none can carry a ticket."
  }
}

run "what_api_gateway_logs_itself_is_not_kept_for_ever" {
  command = apply
  variables {
    log_retention_days = 90
    kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/k"
  }
  assert {
    condition     = aws_cloudwatch_log_group.execution["this"].name == "/aws/apigateway/ws/v1" && aws_cloudwatch_log_group.execution["this"].retention_in_days == 90 && aws_cloudwatch_log_group.execution["this"].kms_key_id == var.kms_key_arn
    error_message = "The group that API Gateway writes to, by API and stage, with the caller's retention and key."
  }
}

run "without_its_own_log_there_is_no_group_for_it" {
  command = apply
  variables { execution_logging_level = "OFF" }
  assert {
    condition     = length(aws_cloudwatch_log_group.execution) == 0 && length(aws_cloudwatch_log_group.access) == 1
    error_message = "Nothing would be written to it."
  }
}

run "only_connect_is_authorized_and_nothing_is_cached" {
  command = apply
  assert {
    condition     = aws_apigatewayv2_route.this["$connect"].authorization_type == "CUSTOM" && aws_apigatewayv2_route.this["$connect"].authorizer_id == aws_apigatewayv2_authorizer.connect["this"].id
    error_message = "$connect must carry the authorizer."
  }
  assert {
    condition     = alltrue([for key in ["$default", "$disconnect"] : aws_apigatewayv2_route.this[key].authorization_type == "NONE" && aws_apigatewayv2_route.this[key].authorizer_id == null])
    error_message = "Other routes cannot carry authorization."
  }
  assert {
    condition     = aws_apigatewayv2_authorizer.connect["this"].authorizer_type == "REQUEST" && aws_apigatewayv2_authorizer.connect["this"].identity_sources == toset(["route.request.header.Host"])
    error_message = "A REQUEST authorizer on a source that every request has."
  }
  assert {
    # Computed when it is not set: the mock says 0.
    condition     = aws_apigatewayv2_authorizer.connect["this"].authorizer_result_ttl_in_seconds == 0
    error_message = "No answer may be cached: AWS refuses a result TTL for WebSocket APIs, and revocation could not stand one."
  }
}

run "every_lambda_permission_has_its_own_source" {
  command = apply
  assert {
    condition     = { for key, permission in aws_lambda_permission.route : key => permission.source_arn } == { for key in ["$connect", "$default", "$disconnect"] : key => "arn:aws:execute-api:us-east-1:123456789012:ws/v1/${key}" }
    error_message = "A route's function may be called by that route of that stage."
  }
  assert {
    condition     = aws_lambda_permission.authorizer["this"].source_arn == "arn:aws:execute-api:us-east-1:123456789012:ws/authorizers/auth1"
    error_message = "The authorizer's function may be called by that authorizer."
  }
  assert {
    condition     = output.connections_arns.POST == "arn:aws:execute-api:us-east-1:123456789012:ws/v1/POST/@connections/*" && jsondecode(output.policy_documents.delete).Statement[0].Resource == ["arn:aws:execute-api:us-east-1:123456789012:ws/v1/DELETE/@connections/*"]
    error_message = "Posting, probing and closing are permitted by method."
  }
  assert {
    condition     = jsonencode(output.connections_arns) == jsonencode({ for method in ["POST", "GET", "DELETE"] : method => "arn:aws:execute-api:us-east-1:123456789012:ws/v1/${method}/@connections/*" })
    error_message = "Each method is permitted by itself, and for this stage only."
  }
}

run "every_frame_goes_to_default_where_that_is_asked_for" {
  command = apply
  variables { route_selection_expression = "\\$default" }
  assert {
    condition     = aws_apigatewayv2_api.this["this"].route_selection_expression == "\\$default"
    error_message = "The static value must reach API Gateway with its backslash: without it, it would be a variable."
  }
}

run "refuses_routes_that_no_frame_can_reach" {
  command = plan
  variables {
    route_selection_expression = "\\$default"
    routes = {
      "$connect" = { function_name = "connect", invoke_arn = "arn:connect" }
      "$default" = { function_name = "frame", invoke_arn = "arn:frame" }
      "join"     = { function_name = "join", invoke_arn = "arn:join" }
    }
  }
  expect_failures = [aws_apigatewayv2_route.this]
}

run "some_frames_reach_no_function" {
  command = apply
  variables {
    route_selection_expression = "$${request.body.action}-frame"
    unanswered_routes          = { "keepalive-frame" = { rate_limit = 7, burst_limit = 3 } }
  }
  assert {
    condition = (
      aws_apigatewayv2_integration.unanswered["keepalive-frame"].integration_type == "MOCK" && aws_apigatewayv2_integration.unanswered["keepalive-frame"].template_selection_expression == "\\$default" &&
      aws_apigatewayv2_integration.unanswered["keepalive-frame"].request_templates == tomap({ "$default" = "{\"statusCode\":200}" })
    )
    error_message = "API Gateway takes the frame itself, and its template must select a response."
  }
  assert {
    condition = (
      aws_apigatewayv2_integration_response.unanswered["keepalive-frame"].integration_response_key == "$default" && aws_apigatewayv2_integration_response.unanswered["keepalive-frame"].response_templates == null &&
      aws_apigatewayv2_integration_response.unanswered["keepalive-frame"].integration_id == aws_apigatewayv2_integration.unanswered["keepalive-frame"].id
    )
    error_message = "A mock without a response that matches is an error, which the client would be sent."
  }
  assert {
    condition = (
      aws_apigatewayv2_route.unanswered["keepalive-frame"].target == "integrations/${aws_apigatewayv2_integration.unanswered["keepalive-frame"].id}" && aws_apigatewayv2_route.unanswered["keepalive-frame"].route_response_selection_expression == null
    )
    error_message = "A route with a response selection would answer."
  }
  assert {
    condition     = output.settings.unanswered_routes == { "keepalive-frame" = "MOCK {\"statusCode\":200}, 7 a second, burst 3, data trace false, metrics true, log ERROR" }
    error_message = "The route has limits of its own, and its frames are never logged: ${jsonencode(output.settings.unanswered_routes)}"
  }
  assert {
    condition     = output.route_authorization["keepalive-frame"] == "NONE" && keys(aws_lambda_permission.route) == ["$connect", "$default", "$disconnect"]
    error_message = "It needs no permission to call a function."
  }
  assert {
    condition = aws_apigatewayv2_deployment.this["this"].triggers.routes == sha1(jsonencode([
      "$${request.body.action}-frame",
      { for key, route in aws_apigatewayv2_route.this : key => [route.target, route.authorization_type, route.authorizer_id] },
      { for key, integration in aws_apigatewayv2_integration.this : key => [integration.integration_uri, integration.timeout_milliseconds] },
      [var.authorizer.invoke_arn, ["route.request.header.Host"]],
      { "keepalive-frame" = aws_apigatewayv2_route.unanswered["keepalive-frame"].target },
    ]))
    error_message = "A stage serves what was deployed last, so the route must change the deployment."
  }
}

run "refuses_unanswered_routes_that_no_frame_can_reach" {
  command = plan
  variables {
    route_selection_expression = "\\$default"
    unanswered_routes          = { keepalive = { rate_limit = 7, burst_limit = 3 } }
  }
  expect_failures = [aws_apigatewayv2_route.unanswered]
}

run "refuses_an_unanswered_route_that_has_a_function" {
  command = plan
  variables { unanswered_routes = { "$default" = { rate_limit = 7, burst_limit = 3 } } }
  expect_failures = [var.unanswered_routes]
}

run "refuses_an_unanswered_route_without_a_limit" {
  command = plan
  variables { unanswered_routes = { keepalive = { rate_limit = 7, burst_limit = 0 } } }
  expect_failures = [var.unanswered_routes]
}

run "refuses_an_expression_whose_variable_does_not_end" {
  command = plan
  # In parts: checkov, which reads this file too, cannot read the escape of a brace that stays open.
  variables { route_selection_expression = join("", ["$", "{request.body.action"]) }
  expect_failures = [var.route_selection_expression]
}

run "create_false_makes_nothing" {
  command = plan
  variables {
    create            = false
    unanswered_routes = { keepalive = { rate_limit = 7, burst_limit = 3 } }
  }
  assert {
    condition     = length(aws_cloudwatch_log_group.execution) + length(aws_apigatewayv2_route.unanswered) + length(aws_apigatewayv2_integration.unanswered) + length(aws_apigatewayv2_api.this) + length(aws_apigatewayv2_route.this) + length(aws_apigatewayv2_stage.this) + length(aws_lambda_permission.route) + length(aws_lambda_permission.authorizer) == 0
    error_message = "Nothing may be created."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                       = "has space"
    stage_name                 = "$default"
    route_selection_expression = "action"
    authorizer                 = { function_name = "a", invoke_arn = "arn:a", identity_sources = [] }
    routes                     = { "$default" = { function_name = "a", invoke_arn = "arn:a" } }
    throttling                 = { rate_limit = 0, burst_limit = 10 }
    execution_logging_level    = "DEBUG"
    log_retention_days         = 0
    tags                       = { "aws:owner" = "me" }
    api_tags                   = { "aws:owner" = "me" }
    kms_key_arn                = "alias/mine"
    description                = format("%1025s", "x")
  }
  expect_failures = [
    var.name, var.stage_name, var.route_selection_expression, var.authorizer, var.routes, var.throttling, var.execution_logging_level, var.log_retention_days, var.tags, var.api_tags, var.kms_key_arn, var.description,
  ]
}

run "refuses_no_burst_and_a_timeout_over_29_seconds" {
  command = plan
  variables {
    throttling = { rate_limit = 10, burst_limit = 0 }
    routes = {
      "$connect" = { function_name = "a", invoke_arn = "arn:a", timeout_milliseconds = 30000 }
      "$default" = { function_name = "a", invoke_arn = "arn:a" }
    }
  }
  expect_failures = [var.throttling, var.routes]
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_apigatewayv2_api.this["this"].name == "team-example"
    error_message = "The name must start with the prefix."
  }
}

run "refuses_a_route_key_that_aws_does_not_take" {
  command = plan
  variables {
    routes = { for key in ["$connect", "$default", "has space"] : key => { function_name = "frame", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/f" } }
  }
  expect_failures = [var.routes]
}

run "each_setting_is_what_was_asked_for" {
  command = apply
  variables {
    throttling               = { rate_limit = 20, burst_limit = 30 }
    log_retention_days       = 7
    kms_key_arn              = "arn:aws:kms:us-east-1:123456789012:key/k"
    execution_logging_level  = "INFO"
    detailed_metrics_enabled = false
    tags                     = { team = "a" }
  }
  assert {
    condition = jsonencode(output.settings) == jsonencode({
      access_log_days           = 7
      access_log_kms_key_arn    = "arn:aws:kms:us-east-1:123456789012:key/k"
      access_logs               = true
      authorizer                = "REQUEST arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:authorizer/invocations"
      authorizer_sources        = ["route.request.header.Host"]
      data_trace                = false
      detailed_metrics          = false
      execution_log_days        = 7
      execution_log_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
      execution_logging         = "INFO"
      permissions = {
        "$connect"    = "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:ws/v1/$connect to connect"
        "$default"    = "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:ws/v1/$default to frame"
        "$disconnect" = "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:ws/v1/$disconnect to gone"
        authorizer    = "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:ws/authorizers/auth1 to authorizer"
      }
      route_calls = { for key, function in { "$connect" = "connect", "$default" = "frame", "$disconnect" = "gone" } : key =>
        "AWS_PROXY arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:${function}/invocations as CONVERT_TO_TEXT"
      }
      route_selection = "$request.body.action"
      route_timeouts  = { "$connect" = 29000, "$default" = 29000, "$disconnect" = 29000 }
      tags            = { team = "a" }
      throttling      = "20 a second, burst 30"

      unanswered_routes = {}
    })
    error_message = "The API as asked for: ${jsonencode(output.settings)}"
  }
}

run "the_alias_of_each_function_is_permitted" {
  command = apply
  variables {
    authorizer = { function_name = "authorizer", function_qualifier = "live", invoke_arn = "arn:authorizer" }
    routes = {
      "$connect" = { function_name = "connect", function_qualifier = "live", invoke_arn = "arn:connect" }
      "$default" = { function_name = "frame", function_qualifier = "live", invoke_arn = "arn:frame" }
    }
  }
  assert {
    condition     = [for permission in values(output.settings.permissions) : endswith(permission, ":live")] == [true, true, true]
    error_message = "Routes and authorizer call the alias, and that is what must be permitted."
  }
  assert {
    condition = aws_apigatewayv2_deployment.this["this"].triggers.routes == sha1(jsonencode([
      "$request.body.action",
      { for key in ["$connect", "$default"] : key => [aws_apigatewayv2_route.this[key].target, aws_apigatewayv2_route.this[key].authorization_type, aws_apigatewayv2_route.this[key].authorizer_id] },
      { "$connect" = ["arn:connect", 29000], "$default" = ["arn:frame", 29000] },
      ["arn:authorizer", ["route.request.header.Host"]],
      {},
    ]))
    error_message = "A stage serves what was deployed last: a change of any of these must be deployed."
  }
}
