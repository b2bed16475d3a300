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
}

override_data {
  target = data.aws_ssm_parameter.input["platform/http-api-id"]
  values = { insecure_value = "http" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/http-api-execution-arn"]
  values = { insecure_value = "arn:aws:execute-api:us-east-1:123456789012:http" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/kms-key-arn"]
  values = { insecure_value = "none" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/sessions-table-name"]
  values = { insecure_value = "sessions" }
}

override_data {
  target = data.aws_ssm_parameter.input["platform/sessions-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions" }
}

variables {
  env              = "test"
  release_manifest = "tests/release.json"
  artifacts_bucket = "artifacts"
}

run "hashes_in_the_table_unless_told_otherwise" {
  command = apply
  assert {
    condition     = { for key, environment in module.service.environment : key => environment.CREDENTIAL_VERIFIER if can(environment.CREDENTIAL_VERIFIER) } == { auth-login = "password", auth-password = "password" }
    error_message = "Only these two verify a password."
  }
  assert {
    condition     = !anytrue([for environment in values(module.service.environment) : can(environment.COGNITO_CLIENT_ID)])
    error_message = "No client without a user pool."
  }
}

run "a_user_pool_is_asked_by_those_two" {
  command = apply
  variables {
    credential_verifier = "cognito"
    cognito_client_id   = "3n4b5urk1ft4fl3mg5e62d9ado"
  }
  assert {
    condition     = { for key, environment in module.service.environment : key => "${environment.CREDENTIAL_VERIFIER} ${environment.COGNITO_CLIENT_ID}" if can(environment.CREDENTIAL_VERIFIER) } == { auth-login = "cognito 3n4b5urk1ft4fl3mg5e62d9ado", auth-password = "cognito 3n4b5urk1ft4fl3mg5e62d9ado" }
    error_message = "With the client they ask as."
  }
  assert {
    condition     = !anytrue(flatten([for grants in values(module.service.grants) : [for grant in grants : startswith(grant, "cognito")]]))
    error_message = "A public client's sign-in needs no permission."
  }
}

run "refuses_an_unknown_verifier" {
  command = plan
  variables { credential_verifier = "ldap" }
  expect_failures = [var.credential_verifier]
}

run "refuses_a_wrong_client" {
  command = plan
  variables { cognito_client_id = "has spaces" }
  expect_failures = [var.cognito_client_id]
}

run "refuses_cognito_from_the_caches_network" {
  command = plan
  variables {
    credential_verifier = "cognito"
    cognito_client_id   = "c"
    cache_provider      = "redis"
  }
  expect_failures = [var.credential_verifier]
}

run "refuses_cognito_while_accounts_are_made_here" {
  command = plan
  variables {
    credential_verifier  = "cognito"
    cognito_client_id    = "c"
    registration_enabled = true
  }
  expect_failures = [var.credential_verifier]
}

run "refuses_cognito_without_a_client" {
  command = plan
  variables { credential_verifier = "cognito" }
  expect_failures = [var.credential_verifier]
}
