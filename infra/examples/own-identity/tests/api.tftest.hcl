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
  mock_resource "aws_s3_bucket" {
    defaults = { id = "artifacts", arn = "arn:aws:s3:::artifacts" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

variables {
  release_manifest = "tests/release.json"
  issuer_url       = "https://id.example.com"
  client_id        = "shop"
  app_url          = "https://app.example.com/"
  # As the stack sessions has it in its output.
  create_session_policy = <<-JSON
    {"Version":"2012-10-17","Statement":[
      {"Effect":"Allow","Action":["lambda:InvokeFunction"],"Resource":["arn:aws:lambda:us-east-1:123456789012:function:holdfast-test-sessions-create:live"]},
      {"Effect":"Allow","Action":["execute-api:Invoke"],"Resource":["arn:aws:execute-api:us-east-1:123456789012:a1/*/POST/v1/sessions"]}
    ]}
  JSON
}

run "it_may_only_make_sessions" {
  command = apply
  assert {
    condition     = module.service.routes == { "GET /login" = "sign-in NONE", "GET /callback" = "sign-in NONE" }
    error_message = "Two routes, and the function checks its callers: ${jsonencode(module.service.routes)}"
  }
  assert {
    condition = [for grant in module.service.grants["sign-in"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")] == [
      "lambda:InvokeFunction arn:aws:lambda:us-east-1:123456789012:function:holdfast-test-sessions-create:live",
    ]
    error_message = "The role invokes one alias of one function: ${jsonencode(module.service.grants)}"
  }
  assert {
    condition     = length(module.service.vpc) == 0
    error_message = "The provider is on the internet, which a function in a VPC does not reach."
  }
  assert {
    # Texts, because a map and an object are never equal.
    condition = jsonencode({ for name, value in module.service.environment["sign-in"] : name => value if !contains(["FUNCTION_KEY", "HOLDFAST_ENV", "LOG_LEVEL"], name) }) == jsonencode({
      ISSUER_URL               = "https://id.example.com"
      CLIENT_ID                = "shop"
      CLIENT_SECRET_ARN        = ""
      PUBLIC_URL               = "https://api.example.com"
      APP_URL                  = "https://app.example.com/"
      TRANSPORT                = "cookie"
      MAX_AGE_SECONDS          = "43200"
      CREATE_SESSION_FUNCTION  = "holdfast-test-sessions-create"
      CREATE_SESSION_QUALIFIER = "live"
    })
    error_message = "The configuration has no secret: ${jsonencode(module.service.environment)}"
  }
  assert {
    condition     = output.login_url == "https://api.example.com/login" && output.redirect_uri == "https://api.example.com/callback"
    error_message = "Addresses for pages and for the provider."
  }
}

run "an_own_address_and_a_function_without_an_alias" {
  command = apply
  variables {
    public_url            = "https://app.example.com/sign-in"
    transport             = "body"
    max_age_seconds       = 60
    create_session_policy = "{\"Statement\":[{\"Action\":[\"lambda:InvokeFunction\"],\"Resource\":[\"arn:aws:lambda:us-east-1:123456789012:function:create\"]}]}"
  }
  assert {
    condition     = output.redirect_uri == "https://app.example.com/sign-in/callback"
    error_message = "The provider sends users to the address that they see."
  }
  assert {
    condition     = module.service.environment["sign-in"].CREATE_SESSION_QUALIFIER == "" && module.service.environment["sign-in"].TRANSPORT == "body" && module.service.environment["sign-in"].MAX_AGE_SECONDS == "60"
    error_message = "The inputs are the configuration."
  }
}

run "a_confidential_client_reads_its_secret_itself" {
  command = apply
  variables {
    client_secret_arn         = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/oidc-AbCdEf"
    client_secret_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
  }
  assert {
    condition = [for grant in module.service.grants["sign-in"] : grant if !startswith(grant, "logs:") && !startswith(grant, "xray:")] == [
      "kms:Decrypt arn:aws:kms:us-east-1:123456789012:key/k if {\"StringEquals\":{\"kms:ViaService\":[\"secretsmanager.us-east-1.amazonaws.com\"]}}",
      "lambda:InvokeFunction arn:aws:lambda:us-east-1:123456789012:function:holdfast-test-sessions-create:live",
      "secretsmanager:GetSecretValue arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/oidc-AbCdEf",
    ]
    error_message = "The role reads one secret: ${jsonencode(module.service.grants)}"
  }
  assert {
    condition     = module.service.environment["sign-in"].CLIENT_SECRET_ARN == var.client_secret_arn
    error_message = "The environment names the secret, and does not hold it."
  }
}

run "the_local_cloud_has_other_addresses" {
  command = apply
  variables { local_endpoint = "http://127.0.0.1:4566" }
  assert {
    condition     = output.redirect_uri == "http://127.0.0.1:4566/_aws/execute-api/api/callback" && module.artifacts.settings.old_versions_expire_days == null
    error_message = "An address that exists, and no rules to wait for: ${output.redirect_uri}"
  }
}

run "refuses_a_secret_instead_of_its_name" {
  command = plan
  variables { client_secret_arn = "the-value" }
  expect_failures = [var.client_secret_arn]
}

run "refuses_a_part_of_the_name_of_a_secret" {
  command = plan
  variables { client_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/oidc" }
  expect_failures = [var.client_secret_arn]
}

run "refuses_a_key_without_a_secret" {
  command = plan
  variables { client_secret_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k" }
  expect_failures = [var.client_secret_kms_key_arn]
}

run "refuses_an_address_that_ends_with_a_slash" {
  command = plan
  variables { local_endpoint = "http://127.0.0.1:4566/" }
  expect_failures = [var.local_endpoint]
}

run "refuses_a_wrong_name" {
  command = plan
  variables { name = "Has_Upper" }
  expect_failures = [var.name]
}

run "refuses_a_provider_without_tls" {
  command = plan
  variables { issuer_url = "http://id.example.com" }
  expect_failures = [var.issuer_url]
}

run "refuses_a_client_without_an_id" {
  command = plan
  variables { client_id = "" }
  expect_failures = [var.client_id]
}

run "refuses_a_public_address_that_ends_with_a_slash" {
  command = plan
  variables { public_url = "https://app.example.com/" }
  expect_failures = [var.public_url]
}

run "refuses_a_page_without_tls" {
  command = plan
  variables { app_url = "http://127.0.0.1.example.com/" }
  expect_failures = [var.app_url]
}

run "refuses_another_transport" {
  command = plan
  variables { transport = "url" }
  expect_failures = [var.transport]
}

run "refuses_an_age_of_zero" {
  command = plan
  variables { max_age_seconds = 0 }
  expect_failures = [var.max_age_seconds]
}

run "refuses_a_policy_that_names_two_functions" {
  command = plan
  variables {
    create_session_policy = "{\"Statement\":[{\"Action\":[\"lambda:InvokeFunction\"],\"Resource\":[\"arn:aws:lambda:us-east-1:123456789012:function:a\",\"arn:aws:lambda:us-east-1:123456789012:function:b\"]}]}"
  }
  expect_failures = [var.create_session_policy]
}
