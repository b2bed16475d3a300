output "route_ids" {
  description = "Id of each route, by route key."
  value       = { for key, route in aws_apigatewayv2_route.this : key => route.id }
}

output "integration_id" {
  description = "Id of the integration."
  value       = try(aws_apigatewayv2_integration.this["this"].id, null)
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `invoke` exactly these routes, where they ask for AWS_IAM; null without routes."
  value = var.create ? {
    invoke = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["execute-api:Invoke"], Resource = sort([for key, route in local.routes : "${var.api_execution_arn}/${route.invoked}"]) }]
    })
  } : null
}

output "routes" {
  description = "Authorization type of each route, by route key, taken from the routes: for reviews and tests."
  value       = { for key, route in aws_apigatewayv2_route.this : key => route.authorization_type }
}

output "settings" {
  description = "Integration, API and permission of the routes, taken from the resources, for reviews and tests."
  value = {
    calls = one([for integration in aws_apigatewayv2_integration.this : format(
      "%v by %v %v, payload %v, %v ms",
      integration.integration_type, integration.integration_method, integration.integration_uri, integration.payload_format_version, integration.timeout_milliseconds,
    )])
    authorizer_ids = distinct([for route in aws_apigatewayv2_route.this : route.authorizer_id if route.authorizer_id != null])
    api_ids        = distinct([for resource in concat(values(aws_apigatewayv2_route.this), values(aws_apigatewayv2_integration.this)) : resource.api_id])
    permission = { for key, permission in aws_lambda_permission.this : key => format(
      "%v from %v to %v", permission.principal, permission.source_arn, join(":", compact([permission.function_name, permission.qualifier])),
    ) }
  }
}
