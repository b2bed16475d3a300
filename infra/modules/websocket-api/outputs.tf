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
  value       = { for key, route in aws_apigatewayv2_route.this : key => route.authorization_type }
}

output "route_selection_expression" {
  description = "What of a frame selects its route."
  value       = try(local.api.route_selection_expression, null)
}
