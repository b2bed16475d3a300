locals {
  name   = join("-", compact([var.name_prefix, var.name]))
  create = var.create ? { this = true } : {}
}

# AWS's own rules first, then the rate of single addresses. A WAF cannot protect an HTTP API itself, only what stands in front of it.
resource "aws_wafv2_web_acl" "this" {
  #checkov:skip=CKV_AWS_192:managed_rules holds AWSManagedRulesKnownBadInputsRuleSet, which covers Log4j; tests/edge.tftest.hcl asserts it
  #checkov:skip=CKV2_AWS_31:The caller reads the sampled requests and metrics; full logs of requests would hold tokens

  for_each = local.create

  name        = local.name
  description = "Requests to ${var.domain_name}."
  scope       = "CLOUDFRONT"

  default_action {
    allow {}
  }

  dynamic "rule" {
    for_each = var.managed_rules
    content {
      name     = rule.key
      priority = rule.value.priority

      override_action {
        dynamic "none" {
          for_each = rule.value.count_only ? [] : [true]
          content {}
        }
        dynamic "count" {
          for_each = rule.value.count_only ? [true] : []
          content {}
        }
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.key
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${local.name}-${rule.key}"
        sampled_requests_enabled   = true
      }
    }
  }

  rule {
    name     = "rate"
    priority = 1000

    action {
      block {
        custom_response {
          response_code = 429
        }
      }
    }

    statement {
      rate_based_statement {
        limit                 = var.requests_per_address
        evaluation_window_sec = 300
        aggregate_key_type    = "IP"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${local.name}-rate"
      sampled_requests_enabled   = true
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = local.name
    sampled_requests_enabled   = true
  }

  tags = var.tags
}

# Nothing is kept: each answer is of one caller. With the lowest TTLs at 0, the origin's Cache-Control decides, and the API says no-store.
resource "aws_cloudfront_cache_policy" "none" {
  for_each = local.create

  name        = "${local.name}-none"
  comment     = "Keeps nothing."
  min_ttl     = 0
  default_ttl = 0
  max_ttl     = 0

  parameters_in_cache_key_and_forwarded_to_origin {
    cookies_config {
      cookie_behavior = "none"
    }
    headers_config {
      header_behavior = "none"
    }
    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

# All that the viewer sends, with its host name (which the API's domain name needs), and the viewer's address as CloudFront saw it.
resource "aws_cloudfront_origin_request_policy" "this" {
  for_each = local.create

  name    = "${local.name}-viewer"
  comment = "All of the request, and the viewer's address."

  cookies_config {
    cookie_behavior = "all"
  }
  headers_config {
    header_behavior = "allViewerAndWhitelistCloudFront"
    headers {
      items = ["CloudFront-Viewer-Address"]
    }
  }
  query_strings_config {
    query_string_behavior = "all"
  }
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV_AWS_86:The API writes an access log of its own; a second one here would hold query strings
  #checkov:skip=CKV_AWS_305:An API has no default root object
  #checkov:skip=CKV_AWS_310:There is one origin: the API of one Region
  #checkov:skip=CKV_AWS_374:The system has users everywhere; geo_restriction is the caller's decision
  #checkov:skip=CKV2_AWS_32:The API sets the headers of its answers itself
  #checkov:skip=CKV2_AWS_47:managed_rules holds AWSManagedRulesKnownBadInputsRuleSet, which covers Log4j; tests/edge.tftest.hcl asserts it

  for_each = local.create

  comment         = "Edge of ${local.name}."
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.price_class
  aliases         = [var.domain_name]
  web_acl_id      = aws_wafv2_web_acl.this["this"].arn

  origin {
    origin_id   = "api"
    domain_name = var.origin_domain_name

    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
      # API Gateway gives a request 30 s.
      origin_read_timeout = 30
    }

    # The functions refuse a request without it: who knows the API's own address cannot go past the edge.
    custom_header {
      name  = "X-Origin-Secret"
      value = var.origin_secret
    }
  }

  default_cache_behavior {
    target_origin_id         = "api"
    viewer_protocol_policy   = "https-only"
    allowed_methods          = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods           = ["GET", "HEAD"]
    cache_policy_id          = aws_cloudfront_cache_policy.none["this"].id
    origin_request_policy_id = aws_cloudfront_origin_request_policy.this["this"].id
    compress                 = false
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    acm_certificate_arn      = var.certificate_arn
    ssl_support_method       = "sni-only"
    minimum_protocol_version = "TLSv1.2_2021"
  }

  tags = var.tags
}

resource "aws_route53_record" "address" {
  for_each = var.create && var.hosted_zone_id != null ? toset(["A", "AAAA"]) : []

  zone_id         = var.hosted_zone_id
  name            = var.domain_name
  type            = each.value
  allow_overwrite = true

  alias {
    name                   = aws_cloudfront_distribution.this["this"].domain_name
    zone_id                = aws_cloudfront_distribution.this["this"].hosted_zone_id
    evaluate_target_health = false
  }
}
