output "id" {
  description = "Id of the API."
  value       = try(local.api.id, null)
}

output "execution_arn" {
  description = "ARN prefix for Lambda permissions."
  value       = try(local.api.execution_arn, null)
}

output "endpoint" {
  description = "Address of the API without the stage (wss://…)."
  value       = try(local.api.api_endpoint, null)
}

output "connections_arns" {
  description = "Resource ARN of each @connections method (POST, GET, DELETE) on this stage, for execute-api:ManageConnections."
  value       = var.create ? { for method in ["POST", "GET", "DELETE"] : method => "${local.api.execution_arn}/${var.stage_name}/${method}/@connections/*" } : {}
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `post`, `get` and `delete` on this stage's @connections."
  value = var.create ? {
    for method in ["POST", "GET", "DELETE"] : lower(method) => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["execute-api:ManageConnections"]
        Resource = ["${local.api.execution_arn}/${var.stage_name}/${method}/@connections/*"]
      }]
    })
  } : null
}

output "route_authorization" {
  description = "Authorization type of each route, by route key."
  value       = { for key, route in merge(aws_apigatewayv2_route.this, aws_apigatewayv2_route.unanswered) : key => route.authorization_type }
}

output "route_selection_expression" {
  description = "Expression that selects the route of a frame."
  value       = try(local.api.route_selection_expression, null)
}

output "settings" {
  description = "Settings of the API, its authorizer, stage and logs, taken from the resources, for reviews and tests."
  value = {
    access_log_days           = one([for group in aws_cloudwatch_log_group.access : group.retention_in_days])
    access_log_kms_key_arn    = one([for group in aws_cloudwatch_log_group.access : group.kms_key_id])
    access_logs               = length(flatten([for stage in aws_apigatewayv2_stage.this : stage.access_log_settings])) > 0
    authorizer                = one([for authorizer in aws_apigatewayv2_authorizer.connect : "${authorizer.authorizer_type} ${authorizer.authorizer_uri}"])
    authorizer_sources        = sort(flatten([for authorizer in aws_apigatewayv2_authorizer.connect : coalesce(authorizer.identity_sources, [])]))
    data_trace                = one([for stage in aws_apigatewayv2_stage.this : stage.default_route_settings[0].data_trace_enabled])
    detailed_metrics          = one([for stage in aws_apigatewayv2_stage.this : stage.default_route_settings[0].detailed_metrics_enabled])
    execution_log_days        = one([for group in aws_cloudwatch_log_group.execution : group.retention_in_days])
    execution_log_kms_key_arn = one([for group in aws_cloudwatch_log_group.execution : group.kms_key_id])
    execution_logging         = one([for stage in aws_apigatewayv2_stage.this : stage.default_route_settings[0].logging_level])
    permissions = { for name, permission in merge(aws_lambda_permission.route, { for permission in aws_lambda_permission.authorizer : "authorizer" => permission }) : name => format(
      "%v from %v to %v", permission.principal, permission.source_arn, join(":", compact([permission.function_name, permission.qualifier])),
    ) }
    route_calls     = { for key, integration in aws_apigatewayv2_integration.this : key => format("%v %v as %v", integration.integration_type, integration.integration_uri, integration.content_handling_strategy) }
    route_selection = one([for api in aws_apigatewayv2_api.this : api.route_selection_expression])
    route_timeouts  = { for key, integration in aws_apigatewayv2_integration.this : key => integration.timeout_milliseconds }
    tags            = one([for api in aws_apigatewayv2_api.this : coalesce(api.tags, {})])
    unanswered_routes = { for settings in flatten([for stage in aws_apigatewayv2_stage.this : stage.route_settings]) : settings.route_key => format("%v %v, %v a second, burst %v, data trace %v, metrics %v, log %v",
      aws_apigatewayv2_integration.unanswered[settings.route_key].integration_type, aws_apigatewayv2_integration.unanswered[settings.route_key].request_templates["$default"],
      settings.throttling_rate_limit, settings.throttling_burst_limit, settings.data_trace_enabled, settings.detailed_metrics_enabled, settings.logging_level,
    ) }
    throttling = one([for stage in aws_apigatewayv2_stage.this : "${stage.default_route_settings[0].throttling_rate_limit} a second, burst ${stage.default_route_settings[0].throttling_burst_limit}"])
  }
}
