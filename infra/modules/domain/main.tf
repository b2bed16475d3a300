locals {
  names = { for kind, api in { http = var.http, websocket = var.websocket } : kind => api.domain_name if api != null }
  # What stands in front of each name.
  fronts = { http = var.http_front, websocket = null }
  apis   = { for kind, api in { http = var.http, websocket = var.websocket } : kind => api if api != null && var.create }

  # One certificate for both names. Its first name is the HTTP API's, where there is one.
  all_names        = distinct(compact([lookup(local.names, "http", null), lookup(local.names, "websocket", null)]))
  make_certificate = var.create && var.certificate == null ? { this = true } : {}
  certificate_arn  = var.certificate != null ? var.certificate.arn : one([for validation in aws_acm_certificate_validation.this : validation.certificate_arn])

  # What proves to ACM that the names are ours, by name.
  proofs = { for option in flatten([for certificate in aws_acm_certificate.this : tolist(certificate.domain_validation_options)]) : option.domain_name => option }
}

resource "aws_acm_certificate" "this" {
  for_each = local.make_certificate

  domain_name               = local.all_names[0]
  subject_alternative_names = slice(local.all_names, 1, length(local.all_names))
  validation_method         = "DNS"
  tags                      = var.tags

  # A certificate in use cannot be deleted: its successor comes first.
  lifecycle {
    create_before_destroy = true
  }
}

# ACM looks at these records again before it renews the certificate: they stay.
resource "aws_route53_record" "proof" {
  for_each = length(local.make_certificate) > 0 ? toset(local.all_names) : []

  zone_id         = var.hosted_zone.id
  name            = local.proofs[each.value].resource_record_name
  type            = local.proofs[each.value].resource_record_type
  records         = [local.proofs[each.value].resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

# The domain names wait for this: API Gateway refuses a certificate that is not issued.
resource "aws_acm_certificate_validation" "this" {
  for_each = local.make_certificate

  certificate_arn         = aws_acm_certificate.this[each.key].arn
  validation_record_fqdns = [for record in aws_route53_record.proof : record.fqdn]
}

# API Gateway maps no HTTP API to the domain name of a WebSocket API: each has its own.
resource "aws_apigatewayv2_domain_name" "this" {
  for_each = local.apis

  domain_name = each.value.domain_name

  domain_name_configuration {
    certificate_arn                        = local.certificate_arn
    endpoint_type                          = "REGIONAL"
    security_policy                        = "TLS_1_2"
    ownership_verification_certificate_arn = each.key == "http" && var.mutual_tls != null ? var.mutual_tls.ownership_verification_certificate_arn : null
  }

  # Only HTTP APIs can ask for it.
  dynamic "mutual_tls_authentication" {
    for_each = each.key == "http" && var.mutual_tls != null ? [var.mutual_tls] : []
    content {
      truststore_uri     = mutual_tls_authentication.value.truststore_uri
      truststore_version = mutual_tls_authentication.value.truststore_version
    }
  }

  tags = var.tags
}

resource "aws_apigatewayv2_api_mapping" "this" {
  for_each = local.apis

  api_id      = each.value.api_id
  stage       = each.value.stage
  domain_name = aws_apigatewayv2_domain_name.this[each.key].id
}

resource "aws_route53_record" "address" {
  for_each = var.hosted_zone != null && var.address_records ? local.apis : {}

  zone_id = var.hosted_zone.id
  name    = each.value.domain_name
  type    = "A"

  alias {
    name                   = local.fronts[each.key] != null ? local.fronts[each.key].domain_name : aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration[0].target_domain_name
    zone_id                = local.fronts[each.key] != null ? local.fronts[each.key].zone_id : aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}

# API Gateway has no IPv6 address for a Regional name; CloudFront has.
resource "aws_route53_record" "address_ipv6" {
  for_each = var.hosted_zone != null && var.address_records && var.http_front != null && var.create ? { http = var.http_front } : {}

  zone_id = var.hosted_zone.id
  name    = var.http.domain_name
  type    = "AAAA"

  alias {
    name                   = each.value.domain_name
    zone_id                = each.value.zone_id
    evaluate_target_health = false
  }
}
