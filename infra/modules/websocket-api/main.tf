locals {
  name = join("-", compact([var.name_prefix, var.name]))

  create = var.create ? { this = true } : {}
  api    = try(aws_apigatewayv2_api.this["this"], null)

  # Only $connect can be authorized; a socket's later frames carry what the authorizer decided then.
  routes            = var.create ? var.routes : {}
  unanswered_routes = var.create ? var.unanswered_routes : {}
}

resource "aws_apigatewayv2_api" "this" {
  for_each = local.create

  name                       = local.name
  description                = var.description
  protocol_type              = "WEBSOCKET"
  route_selection_expression = var.route_selection_expression
  tags                       = merge(var.tags, var.api_tags)
}

# No result TTL: API Gateway refuses one for WebSocket APIs, and never caches what an authorizer of theirs says. No payload
# version either: theirs is one of its own.
resource "aws_apigatewayv2_authorizer" "connect" {
  for_each = local.create

  api_id           = local.api.id
  name             = "${local.name}-connect"
  authorizer_type  = "REQUEST"
  authorizer_uri   = var.authorizer.invoke_arn
  identity_sources = var.authorizer.identity_sources

  lifecycle {
    # The local cloud reports both as set; a WebSocket authorizer on AWS has neither, so ignoring them hides nothing there.
    ignore_changes = [jwt_configuration, authorizer_payload_format_version]
  }
}

resource "aws_lambda_permission" "authorizer" {
  for_each = local.create

  statement_id  = "websocket-authorizer"
  action        = "lambda:InvokeFunction"
  function_name = var.authorizer.function_name
  qualifier     = var.authorizer.function_qualifier
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.api.execution_arn}/authorizers/${aws_apigatewayv2_authorizer.connect["this"].id}"
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = local.routes

  api_id                    = local.api.id
  description               = each.value.function_name
  integration_type          = "AWS_PROXY"
  integration_method        = "POST"
  integration_uri           = each.value.invoke_arn
  content_handling_strategy = "CONVERT_TO_TEXT"
  timeout_milliseconds      = each.value.timeout_milliseconds
}

resource "aws_apigatewayv2_route" "this" {
  #checkov:skip=CKV_AWS_309:AWS allows an authorizer only on $connect, which has one; tests/api.tftest.hcl asserts both

  for_each = local.routes

  api_id             = local.api.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this[each.key].id}"
  authorization_type = each.key == "$connect" ? "CUSTOM" : "NONE"
  authorizer_id      = each.key == "$connect" ? aws_apigatewayv2_authorizer.connect["this"].id : null

  lifecycle {
    precondition {
      condition     = var.route_selection_expression != "\\$default" || startswith(each.key, "$")
      error_message = "route_selection_expression is \\$default, so no frame would ever reach the route ${each.key}."
    }
  }
}

# API Gateway takes these frames itself. Without a route response it sends nothing back, and bills one message and no function.
resource "aws_apigatewayv2_integration" "unanswered" {
  for_each = local.unanswered_routes

  api_id                        = local.api.id
  description                   = "Takes frames that have no answer."
  integration_type              = "MOCK"
  template_selection_expression = "\\$default"
  request_templates             = { "$default" = jsonencode({ statusCode = 200 }) }

  lifecycle {
    # The local cloud reports a method and no expression. Both are fixed here, so ignoring them hides nothing on AWS.
    ignore_changes = [integration_method, template_selection_expression]
  }
}

# A mock needs a response that its status selects, or API Gateway counts an error, and sends the client one.
resource "aws_apigatewayv2_integration_response" "unanswered" {
  for_each = local.unanswered_routes

  api_id                   = local.api.id
  integration_id           = aws_apigatewayv2_integration.unanswered[each.key].id
  integration_response_key = "$default"
}

resource "aws_apigatewayv2_route" "unanswered" {
  #checkov:skip=CKV_AWS_309:AWS allows an authorizer only on $connect, which has one; tests/api.tftest.hcl asserts both

  for_each = local.unanswered_routes

  api_id             = local.api.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.unanswered[each.key].id}"
  authorization_type = "NONE"

  lifecycle {
    precondition {
      condition     = var.route_selection_expression != "\\$default"
      error_message = "route_selection_expression is \\$default, so no frame would ever reach the route ${each.key}."
    }
  }

  depends_on = [aws_apigatewayv2_integration_response.unanswered]
}

resource "aws_lambda_permission" "route" {
  for_each = local.routes

  statement_id  = "websocket-${replace(each.key, "/[^A-Za-z0-9]+/", "")}"
  action        = "lambda:InvokeFunction"
  function_name = each.value.function_name
  qualifier     = each.value.function_qualifier
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.api.execution_arn}/${var.stage_name}/${each.key}"
}

# WebSocket stages do not deploy by themselves: whatever a route is made of must change the deployment.
resource "aws_apigatewayv2_deployment" "this" {
  for_each = local.create

  api_id      = local.api.id
  description = "Routes of ${local.name}."

  triggers = {
    routes = sha1(jsonencode([
      var.route_selection_expression,
      { for key, route in aws_apigatewayv2_route.this : key => [route.target, route.authorization_type, route.authorizer_id] },
      { for key, integration in aws_apigatewayv2_integration.this : key => [integration.integration_uri, integration.timeout_milliseconds] },
      [var.authorizer.invoke_arn, sort(var.authorizer.identity_sources)],
      { for key, route in aws_apigatewayv2_route.unanswered : key => route.target },
    ]))
  }

  depends_on = [aws_apigatewayv2_route.this, aws_apigatewayv2_route.unanswered, aws_apigatewayv2_authorizer.connect]

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:The caller chooses the retention (log_retention_days); it is validated and never unlimited

  for_each = var.create && var.access_logs_enabled ? { this = true } : {}

  name              = "/aws/apigateway/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

# Before the stage: API Gateway, which chooses this name, makes a group of its own that is kept for ever.
resource "aws_cloudwatch_log_group" "execution" {
  #checkov:skip=CKV_AWS_338:The caller chooses the retention (log_retention_days); it is validated and never unlimited

  for_each = var.execution_logging_level == "OFF" ? {} : local.create

  name              = "/aws/apigateway/${local.api.id}/${var.stage_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_apigatewayv2_stage" "this" {
  #checkov:skip=CKV2_AWS_51:Client certificates exist for REST APIs only; API Gateway refuses them for a WebSocket stage

  for_each = local.create

  api_id        = local.api.id
  name          = var.stage_name
  deployment_id = aws_apigatewayv2_deployment.this["this"].id

  # Both limits always: a settings block without them sends 0, and then every request is answered 429. No data trace:
  # it writes whole frames and query strings, so also tickets, into the log.
  default_route_settings {
    throttling_burst_limit   = var.throttling.burst_limit
    throttling_rate_limit    = var.throttling.rate_limit
    detailed_metrics_enabled = var.detailed_metrics_enabled
    data_trace_enabled       = false
    logging_level            = var.execution_logging_level
  }

  # Nothing counts these frames for each client, so their limit keeps them from using up the requests of the account.
  dynamic "route_settings" {
    for_each = local.unanswered_routes
    content {
      route_key                = route_settings.key
      throttling_burst_limit   = route_settings.value.burst_limit
      throttling_rate_limit    = route_settings.value.rate_limit
      detailed_metrics_enabled = var.detailed_metrics_enabled
      data_trace_enabled       = false
      logging_level            = var.execution_logging_level
    }
  }

  dynamic "access_log_settings" {
    for_each = aws_cloudwatch_log_group.access
    content {
      destination_arn = access_log_settings.value.arn
      format = jsonencode({
        requestId        = "$context.requestId"
        time             = "$context.requestTime"
        sourceIp         = "$context.identity.sourceIp"
        eventType        = "$context.eventType"
        routeKey         = "$context.routeKey"
        connectionId     = "$context.connectionId"
        status           = "$context.status"
        authorizerError  = "$context.authorizer.error"
        integrationError = "$context.integrationErrorMessage"
      })
    }
  }

  tags = var.tags

  depends_on = [aws_cloudwatch_log_group.execution]
}
