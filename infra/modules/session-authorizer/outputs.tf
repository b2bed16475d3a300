output "id" {
  description = "Id of the authorizer, for the routes or methods that need a session: with the authorization type CUSTOM."
  value       = local.authorizer_id
}

output "revocation_bound_seconds" {
  description = "Longest time for which a session that has ended is still accepted. A result is kept, and a WebSocket API asks only at $connect and keeps sockets for two hours."
  # Two hours is API Gateway's limit of a connection, which it has no setting for.
  value = var.api.type == "WEBSOCKET" ? 7200 : var.result_ttl_seconds
}

output "settings" {
  description = "Authorizer and permission, taken from the resources, for reviews and tests."
  value = {
    asks = one(concat(
      [for authorizer in aws_apigatewayv2_authorizer.this : format(
        "%v by %v, payload %v, simple responses %v, ttl %v, identity %v",
        authorizer.authorizer_type, authorizer.authorizer_uri, coalesce(authorizer.authorizer_payload_format_version, "none"),
        coalesce(authorizer.enable_simple_responses, false), var.api.type == "HTTP" ? authorizer.authorizer_result_ttl_in_seconds : 0,
        join(",", coalesce(authorizer.identity_sources, [])),
      )],
      [for authorizer in aws_api_gateway_authorizer.this : format(
        "%v by %v, ttl %v, identity %v",
        authorizer.type, authorizer.authorizer_uri, authorizer.authorizer_result_ttl_in_seconds, authorizer.identity_source,
      )],
    ))
    permission = one([for permission in aws_lambda_permission.this : format(
      "%v from %v to %v", permission.principal, permission.source_arn, join(":", compact([permission.function_name, permission.qualifier])),
    )])
  }
}
