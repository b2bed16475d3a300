mock_provider "aws" {
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
    defaults = { id = "api", api_endpoint = "https://api.example.com", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:api" }
  }
  mock_resource "aws_apigatewayv2_authorizer" {
    defaults = { id = "auth" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { id = "artifacts", arn = "arn:aws:s3:::artifacts" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

variables {
  release_manifest = "tests/release.json"
  authorizer = {
    name       = "holdfast-test-sessions-authorizer"
    qualifier  = "live"
    invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:a:live/invocations"
  }
}

run "every_route_needs_a_session" {
  command = apply
  assert {
    condition = module.service.routes == {
      "GET /v1/rust"   = "orders-rust CUSTOM"
      "GET /v1/node"   = "orders-node CUSTOM"
      "POST /v1/node"  = "orders-node CUSTOM"
      "GET /v1/python" = "orders-python CUSTOM"
    } && module.authorizer.id == "auth"
    error_message = "API Gateway asks the authorizer: ${jsonencode(module.service.routes)}"
  }
  assert {
    condition     = module.authorizer.settings.asks == "REQUEST by ${var.authorizer.invoke_arn}, payload 2.0, simple responses true, ttl 0, identity " && module.authorizer.settings.permission == "apigateway.amazonaws.com from arn:aws:execute-api:us-east-1:123456789012:api/authorizers/auth to holdfast-test-sessions-authorizer:live"
    error_message = "Every request is asked about: ${jsonencode(module.authorizer.settings)}"
  }
  assert {
    condition     = alltrue([for grants in values(module.service.grants) : alltrue([for grant in grants : startswith(grant, "logs:") || startswith(grant, "xray:")])])
    error_message = "A handler needs no right of its own to know its caller."
  }
  assert {
    condition = { for key, definition in module.service.definitions : key => "${definition.runtime} ${definition.handler}" } == {
      orders-rust   = "provided.al2023 bootstrap"
      orders-node   = "nodejs22.x index.handler"
      orders-python = "python3.13 handler.handle"
    }
    error_message = "Each handler in its language."
  }
  assert {
    condition = output.urls == {
      orders-rust   = "https://api.example.com/v1/rust"
      orders-node   = "https://api.example.com/v1/node"
      orders-python = "https://api.example.com/v1/python"
    }
    error_message = "Where callers send their access token."
  }
  assert {
    condition     = module.api.cors == null && module.artifacts.settings.old_versions_expire_days == 90
    error_message = "No page may call it unless it is named, and old zips expire."
  }
}

run "pages_of_named_origins_may_call_it_with_cookies" {
  command = apply
  variables { allowed_origins = ["https://app.example.com"] }
  assert {
    condition = jsonencode([for name in ["allow_origins", "allow_headers", "allow_credentials"] : module.api.cors[name]]) == jsonencode([
      ["https://app.example.com"], ["authorization", "content-type", "x-holdfast-csrf"], true,
    ])
    error_message = "Origin, header and cookies: ${jsonencode(module.api.cors)}"
  }
}

run "the_local_cloud_has_other_addresses" {
  command = apply
  variables { local_endpoint = "http://127.0.0.1:4566" }
  assert {
    condition     = output.urls["orders-node"] == "http://127.0.0.1:4566/_aws/execute-api/api/v1/node"
    error_message = "An address that exists: ${output.urls["orders-node"]}"
  }
  assert {
    condition     = module.artifacts.settings.old_versions_expire_days == null
    error_message = "Terraform waits a minute for the rules of a bucket, which a local cloud does not need."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    name            = "Has_Upper"
    local_endpoint  = "http://127.0.0.1:4566/"
    allowed_origins = ["*"]
  }
  expect_failures = [var.name, var.local_endpoint, var.allowed_origins]
}
