mock_provider "aws" {
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:us-east-1:123456789012:certificate/0123-own"
      domain_validation_options = [
        { domain_name = "api.shop.example", resource_record_name = "_a.api.shop.example.", resource_record_type = "CNAME", resource_record_value = "_a.acm-validations.aws." },
        { domain_name = "ws.shop.example", resource_record_name = "_b.ws.shop.example.", resource_record_type = "CNAME", resource_record_value = "_b.acm-validations.aws." },
      ]
    }
  }
  mock_resource "aws_apigatewayv2_domain_name" {
    defaults = { id = "api.shop.example", domain_name_configuration = { target_domain_name = "d-abc.execute-api.us-east-1.amazonaws.com", hosted_zone_id = "Z1UJRXOUMOOFQ8" } }
  }
}

variables {
  http        = { domain_name = "api.shop.example", api_id = "http1" }
  websocket   = { domain_name = "ws.shop.example", api_id = "ws1", stage = "v1" }
  hosted_zone = { id = "Z0123456789ABC" }
}

run "both_apis_get_a_name_a_certificate_and_records" {
  command = apply
  assert {
    condition     = aws_acm_certificate.this["this"].domain_name == "api.shop.example" && aws_acm_certificate.this["this"].subject_alternative_names == toset(["ws.shop.example"]) && aws_acm_certificate.this["this"].validation_method == "DNS"
    error_message = "One certificate for both names."
  }
  assert {
    condition = { for name, record in aws_route53_record.proof : name => "${record.zone_id} ${record.type} ${record.name} ${join(",", record.records)} ${record.ttl} ${record.allow_overwrite}" } == {
      "api.shop.example" = "Z0123456789ABC CNAME _a.api.shop.example. _a.acm-validations.aws. 300 true"
      "ws.shop.example"  = "Z0123456789ABC CNAME _b.ws.shop.example. _b.acm-validations.aws. 300 true"
    }
    error_message = "ACM finds a record for each name."
  }
  assert {
    condition     = aws_acm_certificate_validation.this["this"].certificate_arn == aws_acm_certificate.this["this"].arn && length(aws_acm_certificate_validation.this["this"].validation_record_fqdns) == 2
    error_message = "The certificate is waited for, with both records."
  }
  assert {
    condition     = alltrue([for domain in aws_apigatewayv2_domain_name.this : domain.domain_name_configuration[0].certificate_arn == aws_acm_certificate_validation.this["this"].certificate_arn])
    error_message = "No name is made before the certificate is issued."
  }
  assert {
    condition = jsonencode(output.settings) == jsonencode({
      http      = { domain_name = "api.shop.example", security_policy = "TLS_1_2", endpoint_type = "REGIONAL", truststore = null, mapped_to = "http1/$default", records = ["A api.shop.example d-abc.execute-api.us-east-1.amazonaws.com"] }
      websocket = { domain_name = "ws.shop.example", security_policy = "TLS_1_2", endpoint_type = "REGIONAL", truststore = null, mapped_to = "ws1/v1", records = ["A ws.shop.example d-abc.execute-api.us-east-1.amazonaws.com"] }
    })
    error_message = "Each name leads to its API, with TLS 1.2 at least."
  }
  assert {
    condition     = alltrue([for kind, record in aws_route53_record.address : record.zone_id == "Z0123456789ABC" && !record.alias[0].evaluate_target_health && record.alias[0].name == aws_apigatewayv2_domain_name.this[kind].domain_name_configuration[0].target_domain_name && record.alias[0].zone_id == aws_apigatewayv2_domain_name.this[kind].domain_name_configuration[0].hosted_zone_id])
    error_message = "The records point to where API Gateway serves the names."
  }
  assert {
    condition     = output.http_url == "https://api.shop.example" && output.websocket_url == "wss://ws.shop.example" && output.certificate_arn == aws_acm_certificate.this["this"].arn && keys(output.targets) == ["api.shop.example", "ws.shop.example"]
    error_message = "The addresses are the names."
  }
}

run "the_names_may_lead_to_something_in_front" {
  command = apply
  variables { address_records = false }
  assert {
    condition     = length(aws_route53_record.address) == 0 && length(aws_route53_record.proof) == 2 && keys(output.targets) == ["api.shop.example", "ws.shop.example"]
    error_message = "The names are proven and served; where they lead is somebody else's."
  }
}

run "the_name_of_the_http_api_leads_to_what_stands_in_front" {
  command = apply
  variables { http_front = { domain_name = "d1.cloudfront.net", zone_id = "Z2FDTNDATAQYW2" } }
  assert {
    condition = { for kind, domain in output.settings : kind => domain.records } == {
      http      = ["A api.shop.example d1.cloudfront.net", "AAAA api.shop.example d1.cloudfront.net"]
      websocket = ["A ws.shop.example d-abc.execute-api.us-east-1.amazonaws.com"]
    }
    error_message = "Only the HTTP API has something in front: ${jsonencode(output.settings)}"
  }
  assert {
    condition     = aws_route53_record.address["http"].alias[0].zone_id == "Z2FDTNDATAQYW2" && aws_route53_record.address_ipv6["http"].alias[0].zone_id == "Z2FDTNDATAQYW2" && aws_route53_record.address_ipv6["http"].zone_id == "Z0123456789ABC"
    error_message = "The alias is that of the distribution's zone, in the zone of the name."
  }
}

run "refuses_a_front_of_sockets" {
  command = plan
  variables {
    http       = null
    http_front = { domain_name = "d1.cloudfront.net", zone_id = "Z2FDTNDATAQYW2" }
  }
  expect_failures = [var.http_front]
}

run "a_certificate_and_a_dns_of_ones_own" {
  command = apply
  variables {
    certificate = { arn = "arn:aws:acm:us-east-1:123456789012:certificate/4567" }
    hosted_zone = null
    tags        = { project = "shop" }
  }
  assert {
    condition     = length(aws_acm_certificate.this) + length(aws_route53_record.proof) + length(aws_acm_certificate_validation.this) + length(aws_route53_record.address) == 0
    error_message = "Nothing is requested, and no record is written."
  }
  assert {
    condition     = alltrue([for domain in aws_apigatewayv2_domain_name.this : domain.domain_name_configuration[0].certificate_arn == "arn:aws:acm:us-east-1:123456789012:certificate/4567" && domain.tags.project == "shop"]) && output.certificate_arn == "arn:aws:acm:us-east-1:123456789012:certificate/4567"
    error_message = "The names have the certificate that is given."
  }
  assert {
    condition     = length(output.settings.http.records) == 0 && length(output.targets) == 2
    error_message = "What the DNS has to point to is said."
  }
}

run "an_imported_certificate_with_records_of_this_zone" {
  command = apply
  variables {
    certificate = { arn = "arn:aws:acm:us-east-1:123456789012:certificate/4567" }
    websocket   = null
    mutual_tls = {
      truststore_uri                         = "s3://shop-trust/clients.pem"
      truststore_version                     = "3"
      ownership_verification_certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/89ab"
    }
  }
  assert {
    condition     = aws_apigatewayv2_domain_name.this["http"].mutual_tls_authentication[0].truststore_uri == "s3://shop-trust/clients.pem" && aws_apigatewayv2_domain_name.this["http"].mutual_tls_authentication[0].truststore_version == "3" && aws_apigatewayv2_domain_name.this["http"].domain_name_configuration[0].ownership_verification_certificate_arn == "arn:aws:acm:us-east-1:123456789012:certificate/89ab"
    error_message = "Clients must show a certificate, and the name is proved to be ours."
  }
  assert {
    condition     = keys(aws_apigatewayv2_domain_name.this) == ["http"] && keys(aws_route53_record.address) == ["http"] && length(aws_route53_record.proof) == 0 && output.websocket_url == null
    error_message = "Nothing is made for an API that is not there."
  }
}

run "sockets_are_not_asked_for_certificates" {
  command = apply
  variables {
    mutual_tls = { truststore_uri = "s3://shop-trust/clients.pem" }
  }
  assert {
    condition     = length(aws_apigatewayv2_domain_name.this["websocket"].mutual_tls_authentication) == 0 && output.settings.http.truststore == "s3://shop-trust/clients.pem"
    error_message = "API Gateway can ask for them at HTTP APIs only."
  }
}

run "a_websocket_api_alone" {
  command = apply
  variables {
    http = null
  }
  assert {
    condition     = aws_acm_certificate.this["this"].domain_name == "ws.shop.example" && length(aws_acm_certificate.this["this"].subject_alternative_names) == 0 && keys(output.settings) == ["websocket"] && output.http_url == null
    error_message = "The certificate is for its name."
  }
}

run "pages_of_the_same_site_may_use_cookies" {
  command = plan
  variables {
    site           = "shop.example"
    cookie_origins = ["https://shop.example", "https://www.shop.example", "https://admin.eu.shop.example:8443"]
  }
}

run "nothing_is_made_when_it_is_off" {
  command = apply
  variables { create = false }
  assert {
    condition     = length(aws_acm_certificate.this) + length(aws_route53_record.proof) + length(aws_apigatewayv2_domain_name.this) + length(aws_apigatewayv2_api_mapping.this) + length(aws_route53_record.address) == 0 && output.http_url == null && output.websocket_url == null && output.certificate_arn == null
    error_message = "create = false makes nothing."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    http        = { domain_name = "API.shop.example", api_id = "http1" }
    hosted_zone = { id = "shop.example" }
    tags        = { "aws:team" = "checkout" }
  }
  expect_failures = [var.http, var.hosted_zone, var.tags]
}

run "refuses_an_address_for_a_name_and_a_certificate_of_iam" {
  command = plan
  variables {
    websocket   = { domain_name = "https://ws.shop.example", api_id = "ws1", stage = "v1" }
    certificate = { arn = "arn:aws:iam::123456789012:server-certificate/own" }
  }
  expect_failures = [var.websocket, var.certificate]
}

run "refuses_one_name_for_both_apis_and_a_truststore_elsewhere" {
  command = plan
  variables {
    websocket  = { domain_name = "api.shop.example", api_id = "ws1", stage = "v1" }
    mutual_tls = { truststore_uri = "https://shop-trust/clients.pem" }
    site       = "Shop"
  }
  expect_failures = [var.websocket, var.mutual_tls, var.site]
}

run "refuses_no_api_at_all" {
  command = plan
  variables {
    http      = null
    websocket = null
  }
  expect_failures = [var.websocket]
}

run "refuses_a_certificate_that_nobody_can_prove" {
  command = plan
  variables { hosted_zone = null }
  expect_failures = [var.certificate]
}

run "refuses_mutual_tls_for_sockets_alone" {
  command = plan
  variables {
    http       = null
    mutual_tls = { truststore_uri = "s3://shop-trust/clients.pem" }
  }
  expect_failures = [var.mutual_tls]
}

run "refuses_an_api_of_another_site" {
  command = plan
  variables {
    site = "hop.example"
  }
  expect_failures = [var.site]
}

run "refuses_cookies_for_pages_of_another_site" {
  command = plan
  variables {
    site           = "shop.example"
    cookie_origins = ["https://shop.example.net"]
  }
  expect_failures = [var.cookie_origins]
}

run "refuses_cookies_for_pages_whose_site_only_ends_alike" {
  command = plan
  variables {
    site           = "shop.example"
    cookie_origins = ["https://myshop.example"]
  }
  expect_failures = [var.cookie_origins]
}

run "refuses_cookies_without_a_site" {
  command = plan
  variables {
    cookie_origins = ["https://www.shop.example"]
  }
  expect_failures = [var.cookie_origins]
}
