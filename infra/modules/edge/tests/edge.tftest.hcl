mock_provider "aws" {
  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/example/1" }
  }
  mock_resource "aws_cloudfront_distribution" {
    defaults = { domain_name = "d1.cloudfront.net", hosted_zone_id = "Z2FDTNDATAQYW2" }
  }
}

variables {
  name               = "example"
  domain_name        = "api.shop.example"
  origin_domain_name = "d-abc.execute-api.eu-central-1.amazonaws.com"
  certificate_arn    = "arn:aws:acm:us-east-1:123456789012:certificate/0123-abc"
  origin_secret      = "0123456789abcdef0123456789abcdef"
}

run "requests_pass_the_rules_and_carry_the_secret_and_the_viewers_address" {
  command = apply
  assert {
    condition = jsonencode(output.settings) == jsonencode({
      aliases        = ["api.shop.example"]
      methods        = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
      origin         = "d-abc.execute-api.eu-central-1.amazonaws.com https-only"
      origin_headers = ["X-Origin-Secret"]
      rate           = ["3000 by IP in 300 s"]
      rules          = ["10 AWSManagedRulesAmazonIpReputationList", "1000 rate", "20 AWSManagedRulesCommonRuleSet", "30 AWSManagedRulesKnownBadInputsRuleSet"]
      tls            = "TLSv1.2_2021"
      viewer_headers = ["CloudFront-Viewer-Address"]
    })
    error_message = "The edge as asked for: ${jsonencode(output.settings)}"
  }
  assert {
    condition     = aws_cloudfront_distribution.this["this"].web_acl_id == "arn:aws:wafv2:us-east-1:123456789012:global/webacl/example/1" && aws_wafv2_web_acl.this["this"].scope == "CLOUDFRONT"
    error_message = "The rules are those of this distribution."
  }
  assert {
    condition     = one(nonsensitive([for header in one(aws_cloudfront_distribution.this["this"].origin).custom_header : header.value])) == nonsensitive(var.origin_secret) && output.origin_secret_sha256 == sha256("0123456789abcdef0123456789abcdef")
    error_message = "CloudFront sends the secret whose digest the functions compare."
  }
  assert {
    condition     = [for policy in [aws_cloudfront_cache_policy.none["this"]] : [policy.min_ttl, policy.default_ttl, policy.max_ttl]] == [[0, 0, 0]] && aws_cloudfront_distribution.this["this"].default_cache_behavior[0].viewer_protocol_policy == "https-only"
    error_message = "No answer is kept: each is of one caller. Nothing passes without TLS."
  }
  assert {
    condition     = aws_cloudfront_origin_request_policy.this["this"].headers_config[0].header_behavior == "allViewerAndWhitelistCloudFront" && aws_cloudfront_origin_request_policy.this["this"].cookies_config[0].cookie_behavior == "all" && aws_cloudfront_origin_request_policy.this["this"].query_strings_config[0].query_string_behavior == "all"
    error_message = "The API gets all that the viewer sends, with its host name."
  }
  assert {
    condition     = length(aws_route53_record.address) == 0 && output.url == "https://api.shop.example" && output.target == "d1.cloudfront.net"
    error_message = "Without a zone, the name's owner points it here."
  }
}

run "the_name_points_to_the_edge" {
  command = apply
  variables { hosted_zone_id = "Z0123456789ABC" }
  assert {
    condition     = { for type, record in aws_route53_record.address : type => "${record.zone_id} ${record.name} ${record.alias[0].name} ${record.alias[0].zone_id}" } == { A = "Z0123456789ABC api.shop.example d1.cloudfront.net Z2FDTNDATAQYW2", AAAA = "Z0123456789ABC api.shop.example d1.cloudfront.net Z2FDTNDATAQYW2" }
    error_message = "For IPv4 and IPv6."
  }
}

run "rules_can_be_tried_before_they_block" {
  command = apply
  variables {
    managed_rules        = { AWSManagedRulesCommonRuleSet = { priority = 1, count_only = true } }
    requests_per_address = 500
    price_class          = "PriceClass_All"
  }
  assert {
    condition     = flatten([for rule in aws_wafv2_web_acl.this["this"].rule : [length(rule.override_action[0].count), length(rule.override_action[0].none)] if rule.name == "AWSManagedRulesCommonRuleSet"]) == [1, 0]
    error_message = "The group counts only."
  }
  assert {
    condition     = output.settings.rate == ["500 by IP in 300 s"] && aws_cloudfront_distribution.this["this"].price_class == "PriceClass_All"
    error_message = "As asked for."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables {
    create         = false
    hosted_zone_id = "Z0123456789ABC"
  }
  assert {
    condition     = length(aws_cloudfront_distribution.this) + length(aws_wafv2_web_acl.this) + length(aws_route53_record.address) + length(aws_cloudfront_cache_policy.none) + length(aws_cloudfront_origin_request_policy.this) == 0 && output.url == null
    error_message = "Nothing may be created."
  }
}

run "the_prefix_goes_before_the_name" {
  command = plan
  variables { name_prefix = "team" }
  assert {
    condition     = aws_wafv2_web_acl.this["this"].name == "team-example"
    error_message = "The name must start with the prefix."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name                 = "has space"
    domain_name          = "API.example.com"
    origin_domain_name   = "https://api.example.com"
    certificate_arn      = "arn:aws:acm:eu-central-1:123456789012:certificate/0123-abc"
    origin_secret        = "short"
    hosted_zone_id       = "example.com"
    managed_rules        = { AWSManagedRulesCommonRuleSet = { priority = 1000 } }
    requests_per_address = 10
    price_class          = "cheap"
    tags                 = { "aws:owner" = "me" }
  }
  expect_failures = [
    var.name, var.domain_name, var.origin_domain_name, var.certificate_arn, var.origin_secret, var.hosted_zone_id, var.managed_rules, var.requests_per_address, var.price_class, var.tags,
  ]
}
