output "id" {
  description = "Id of the API."
  value       = try(local.api.id, null)
}

output "arn" {
  description = "ARN of the API."
  value       = try(local.api.arn, null)
}

output "execution_arn" {
  description = "ARN prefix for Lambda permissions and execute-api:Invoke."
  value       = try(local.api.execution_arn, null)
}

output "endpoint" {
  description = "Address of the API, without a slash at the end."
  value       = try(local.api.api_endpoint, null)
}

output "throttling" {
  description = "Limits of the stage's routes as `<rate> a second, burst <burst>`: of `default`, and of each route that has its own."
  value = var.create ? merge(
    { for settings in aws_apigatewayv2_stage.this["this"].default_route_settings : "default" => "${settings.throttling_rate_limit} a second, burst ${settings.throttling_burst_limit}" },
    { for settings in aws_apigatewayv2_stage.this["this"].route_settings : settings.route_key => "${settings.throttling_rate_limit} a second, burst ${settings.throttling_burst_limit}" },
  ) : null
}

output "cors" {
  description = "Permissions of browsers from other origins; null if no CORS headers are sent."
  value = try({
    allow_origins     = sort(local.api.cors_configuration[0].allow_origins)
    allow_methods     = sort(local.api.cors_configuration[0].allow_methods)
    allow_headers     = sort(local.api.cors_configuration[0].allow_headers)
    expose_headers    = sort(local.api.cors_configuration[0].expose_headers)
    allow_credentials = local.api.cors_configuration[0].allow_credentials
    max_age_seconds   = local.api.cors_configuration[0].max_age
  }, null)
}

output "access_log_group_name" {
  description = "Name of the access log group; null without one."
  value       = try(aws_cloudwatch_log_group.access["this"].name, null)
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `invoke` every route that asks for AWS_IAM; null without an API."
  value = var.create ? {
    invoke = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["execute-api:Invoke"], Resource = ["${local.api.execution_arn}/$default/*"] }]
    })
  } : null
}

output "settings" {
  description = "Settings of the API, its stage and its access log besides limits and CORS, taken from the resources, for reviews and tests."
  value = {
    access_log_days        = one([for group in aws_cloudwatch_log_group.access : group.retention_in_days])
    access_log_kms_key_arn = one([for group in aws_cloudwatch_log_group.access : group.kms_key_id])
    access_logs            = length(flatten([for stage in aws_apigatewayv2_stage.this : stage.access_log_settings])) > 0
    deploys_by_itself      = one([for stage in aws_apigatewayv2_stage.this : stage.auto_deploy])
    detailed_metrics       = one([for stage in aws_apigatewayv2_stage.this : stage.default_route_settings[0].detailed_metrics_enabled])
    endpoint_disabled      = one([for api in aws_apigatewayv2_api.this : api.disable_execute_api_endpoint])
    tags                   = one([for api in aws_apigatewayv2_api.this : coalesce(api.tags, {})])
  }
}

output "authorizer_ids" {
  description = "Id of each authorizer, by name: `authorizer_id` of the module http-route."
  value       = { for name, authorizer in merge(aws_apigatewayv2_authorizer.jwt, aws_apigatewayv2_authorizer.lambda) : name => authorizer.id }
}
