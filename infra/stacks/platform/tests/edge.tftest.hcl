mock_provider "aws" {
  mock_resource "aws_apigatewayv2_domain_name" {
    defaults = { id = "api.shop.example", domain_name_configuration = { target_domain_name = "d-abc.execute-api.us-east-1.amazonaws.com", hosted_zone_id = "Z1UJRXOUMOOFQ8" } }
  }
  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/holdfast-test/1" }
  }
  mock_resource "aws_cloudfront_distribution" {
    defaults = { domain_name = "d1.cloudfront.net", hosted_zone_id = "Z2FDTNDATAQYW2" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_role" {
    defaults = { id = "role", arn = "arn:aws:iam::123456789012:role/role" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:own" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:f", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/f", version = "1" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:f:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/f:live" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = { id = "http", api_endpoint = "https://http.execute-api.us-east-1.amazonaws.com", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:http" }
  }
}

override_resource {
  target = aws_cloudwatch_event_rule.cache_status
  values = { arn = "arn:aws:events:us-east-1:123456789012:rule/cache-status" }
}

override_resource {
  target = module.sessions_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions", stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/2026" }
}

override_resource {
  target = module.connections_table.aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/connections", stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/connections/stream/2026" }
}

override_resource {
  target = module.mfa_key.aws_kms_key.this
  values = { arn = "arn:aws:kms:us-east-1:123456789012:key/mfa", key_id = "mfa" }
}

variables {
  env              = "test"
  release_manifest = "tests/release.json"
  artifacts_bucket = "artifacts"
}

run "an_edge_is_in_front_of_the_name" {
  command = apply
  variables {
    http_domain          = { name = "api.shop.example", hosted_zone_id = "Z0123456789ABC", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0123-abc" }
    trusted_proxy        = "cloudfront"
    origin_secret_sha256 = sha256("0123456789abcdef0123456789abcdef")
    edge_origin_secret   = "0123456789abcdef0123456789abcdef"
    edge                 = { requests_per_address = 900 }
  }
  assert {
    condition     = module.edge.settings.aliases == tolist(["api.shop.example"]) && module.edge.settings.origin == "d-abc.execute-api.us-east-1.amazonaws.com https-only" && module.edge.settings.rate == ["900 by IP in 300 s"]
    error_message = "CloudFront serves the name, and its origin is where API Gateway serves the same name: ${jsonencode(module.edge.settings)}"
  }
  assert {
    condition     = module.edge.origin_secret_sha256 == module.service.environment.ops-health.ORIGIN_SECRET_SHA256
    error_message = "The functions compare the digest of the secret that CloudFront sends."
  }
  assert {
    condition     = module.domain.settings.http.records == ["A api.shop.example d1.cloudfront.net", "AAAA api.shop.example d1.cloudfront.net"] && output.edge_target == "d1.cloudfront.net" && output.http_url == "https://api.shop.example"
    error_message = "The name leads to CloudFront, not past it."
  }
}

# In this state the record of the run before is changed, and not replaced: the name always leads somewhere.
run "without_an_edge_the_same_record_leads_to_the_api" {
  command = plan
  variables {
    http_domain = { name = "api.shop.example", hosted_zone_id = "Z0123456789ABC", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0123-abc" }
  }
  assert {
    condition     = module.domain.settings.http.records == ["A api.shop.example d-abc.execute-api.us-east-1.amazonaws.com"]
    error_message = "The name leads to API Gateway: ${jsonencode(module.domain.settings)}"
  }
}

run "without_an_edge_nothing_of_it_is_made" {
  command = plan
  assert {
    condition     = length(module.edge.settings.aliases) == 0 && output.edge_target == null
    error_message = "Nothing to pay for."
  }
}

run "refuses_an_edge_without_a_name_or_elsewhere" {
  command = plan
  variables {
    region = "eu-central-1"
    edge   = {}
  }
  expect_failures = [var.edge, var.edge, var.edge]
}

# A run of its own: Terraform does not check the secret while var.edge is refused.
run "refuses_a_secret_whose_digest_the_functions_do_not_have" {
  command = plan
  variables {
    http_domain          = { name = "api.shop.example", hosted_zone_id = "Z0123456789ABC", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0123-abc" }
    trusted_proxy        = "cloudfront"
    origin_secret_sha256 = sha256("another-secret-another-secret-00")
    edge_origin_secret   = "0123456789abcdef0123456789abcdef"
    edge                 = {}
  }
  expect_failures = [var.edge_origin_secret]
}

run "refuses_a_secret_without_an_edge" {
  command = plan
  variables {
    edge_origin_secret = "0123456789abcdef0123456789abcdef"
  }
  expect_failures = [var.edge_origin_secret]
}
