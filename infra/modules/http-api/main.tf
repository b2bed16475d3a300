locals {
  name = join("-", compact([var.name_prefix, var.name]))

  create = var.create ? { this = true } : {}
  api    = try(aws_apigatewayv2_api.this["this"], null)
}

resource "aws_apigatewayv2_api" "this" {
  for_each = local.create

  name                         = local.name
  description                  = var.description
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = var.disable_execute_api_endpoint

  dynamic "cors_configuration" {
    for_each = length(var.cors.allow_origins) == 0 ? [] : [var.cors]
    content {
      allow_origins     = cors_configuration.value.allow_origins
      allow_methods     = cors_configuration.value.allow_methods
      allow_headers     = cors_configuration.value.allow_headers
      expose_headers    = cors_configuration.value.expose_headers
      allow_credentials = cors_configuration.value.allow_credentials
      max_age           = cors_configuration.value.max_age_seconds
    }
  }

  tags = merge(var.tags, var.api_tags)
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  for_each = var.create ? var.jwt_authorizers : {}

  api_id           = local.api.id
  name             = each.key
  authorizer_type  = "JWT"
  identity_sources = [each.value.identity_source]

  jwt_configuration {
    issuer   = each.value.issuer
    audience = each.value.audiences
  }
}

# API Gateway asks the function for each request, or keeps its answer for the credential.
resource "aws_apigatewayv2_authorizer" "lambda" {
  for_each = var.create ? var.lambda_authorizers : {}

  api_id                            = local.api.id
  name                              = each.key
  authorizer_type                   = "REQUEST"
  authorizer_uri                    = each.value.invoke_arn
  authorizer_payload_format_version = "2.0"
  enable_simple_responses           = true
  identity_sources                  = each.value.identity_sources
  authorizer_result_ttl_in_seconds  = each.value.result_ttl_seconds
}

resource "aws_lambda_permission" "authorizer" {
  for_each = var.create ? var.lambda_authorizers : {}

  statement_id  = "authorizer-${local.api.id}-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = each.value.function_name
  qualifier     = each.value.function_qualifier
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.api.execution_arn}/authorizers/${aws_apigatewayv2_authorizer.lambda[each.key].id}"
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:The caller chooses the retention (log_retention_days); it is validated and never unlimited

  for_each = var.create && var.access_logs_enabled ? { this = true } : {}

  name              = "/aws/apigateway/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

# The $default stage deploys by itself: routes are attached by other stacks, each in its own time.
resource "aws_apigatewayv2_stage" "this" {
  for_each = local.create

  api_id      = local.api.id
  name        = "$default"
  auto_deploy = true

  # Both limits always: a settings block without them sends 0, and then every request is answered 429.
  default_route_settings {
    throttling_burst_limit   = var.throttling.burst_limit
    throttling_rate_limit    = var.throttling.rate_limit
    detailed_metrics_enabled = var.detailed_metrics_enabled
  }

  # A route's own settings replace the default ones: all of them are said again.
  dynamic "route_settings" {
    for_each = var.route_throttles
    content {
      route_key                = route_settings.key
      throttling_burst_limit   = route_settings.value.burst_limit
      throttling_rate_limit    = route_settings.value.rate_limit
      detailed_metrics_enabled = var.detailed_metrics_enabled
    }
  }

  # No header, no query string, no body: nothing of a token can get into the log.
  dynamic "access_log_settings" {
    for_each = aws_cloudwatch_log_group.access
    content {
      destination_arn = access_log_settings.value.arn
      format = jsonencode({
        requestId          = "$context.requestId"
        time               = "$context.requestTime"
        sourceIp           = "$context.identity.sourceIp"
        routeKey           = "$context.routeKey"
        status             = "$context.status"
        responseLength     = "$context.responseLength"
        responseLatency    = "$context.responseLatency"
        integrationLatency = "$context.integrationLatency"
        integrationError   = "$context.integrationErrorMessage"
      })
    }
  }

  tags = var.tags

  lifecycle {
    ignore_changes = [deployment_id]
  }
}
