output "id" {
  description = "Id of the authorizer, for the routes or methods that need a session: with the authorization type CUSTOM."
  value       = local.authorizer_id
}

output "source_arn" {
  description = "ARN of the authorizer: the only source that may invoke the function."
  value       = local.source_arn
}

output "instance" {
  description = "The instance of the function: name, ARN to call, alias, role, log group, environment variables, and permissions as `<action> <resource>`; null with the shared function."
  value = one([for instance in module.instance : {
    name           = instance.name
    arn            = instance.arn
    qualifier      = instance.qualifier
    role_name      = instance.role_name
    log_group_name = instance.log_group_name
    environment    = instance.environment
    grants         = instance.grants
  }])
}

output "watch" {
  description = "Input `functions` of the module alarms for the instance; empty with the shared function, which the stack sessions watches."
  value = { for instance in module.instance : local.instance_name => {
    name                     = instance.name
    timeout_seconds          = instance.settings.timeout_seconds
    max_iterator_age_seconds = null
  } }
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
