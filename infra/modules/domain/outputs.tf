output "http_url" {
  description = "Address of the HTTP API; null without one."
  value       = var.create && var.http != null ? "https://${var.http.domain_name}" : null

  # It answers when it is mapped.
  depends_on = [aws_apigatewayv2_api_mapping.this]
}

output "websocket_url" {
  description = "Address of the WebSocket API; null without one."
  value       = var.create && var.websocket != null ? "wss://${var.websocket.domain_name}" : null

  depends_on = [aws_apigatewayv2_api_mapping.this]
}

output "certificate_arn" {
  description = "ARN of the certificate; null without one."
  value       = var.create ? local.certificate_arn : null
}

output "targets" {
  description = "What each name has to point to where the DNS is not this hosted zone's: a CNAME, or an alias where the DNS has such."
  value       = { for kind, domain in aws_apigatewayv2_domain_name.this : domain.domain_name => domain.domain_name_configuration[0].target_domain_name }
}

output "settings" {
  description = "How the names are served, taken from the resources themselves: for reviews and tests."
  value = { for kind, domain in aws_apigatewayv2_domain_name.this : kind => {
    domain_name     = domain.domain_name
    security_policy = domain.domain_name_configuration[0].security_policy
    endpoint_type   = domain.domain_name_configuration[0].endpoint_type
    truststore      = one([for demand in domain.mutual_tls_authentication : demand.truststore_uri])
    mapped_to       = "${aws_apigatewayv2_api_mapping.this[kind].api_id}/${aws_apigatewayv2_api_mapping.this[kind].stage}"
    records         = [for record in concat([for key, record in aws_route53_record.address : record if key == kind], [for key, record in aws_route53_record.address_ipv6 : record if key == kind]) : "${record.type} ${record.name} ${record.alias[0].name}"]
  } }
}
