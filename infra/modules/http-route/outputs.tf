output "route_ids" {
  description = "Id of each route, by route key."
  value       = { for key, route in aws_apigatewayv2_route.this : key => route.id }
}

output "integration_id" {
  description = "Id of the integration."
  value       = try(aws_apigatewayv2_integration.this["this"].id, null)
}
