mock_provider "aws" {
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
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/http-api-id"]
  values = { insecure_value = "http" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/http-api-execution-arn"]
  values = { insecure_value = "arn:aws:execute-api:us-east-1:123456789012:http" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/kms-key-arn"]
  values = { insecure_value = "none" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/sessions-table-name"]
  values = { insecure_value = "sessions" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/sessions-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/connections-table-name"]
  values = { insecure_value = "connections" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/connections-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/connections" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/activity-table-name"]
  values = { insecure_value = "activity" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/activity-table-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/activity" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["cache-cluster"]
  values = { insecure_value = "true" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["cache-connect-arns"]
  values = { insecure_value = "arn:aws:elasticache:us-east-1:123456789012:serverlesscache:c,arn:aws:elasticache:us-east-1:123456789012:user:c-app" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["cache-name"]
  values = { insecure_value = "holdfast-test" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["cache-serverless"]
  values = { insecure_value = "false" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["cache-url"]
  values = { insecure_value = "rediss://cache:6379" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["cache-user"]
  values = { insecure_value = "holdfast-test-app" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["network-functions-security-group-id"]
  values = { insecure_value = "sg-functions" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.cache["network-subnet-ids"]
  values = { insecure_value = "subnet-1,subnet-2" }
}

variables {
  release_manifest = "tests/release.json"
  artifacts_bucket = "artifacts"
}

run "each_setting_on_the_local_cloud" {
  command = apply
  variables {
    env                  = "local"
    allowed_origins      = ["http://localhost:5173", "http://127.0.0.1:5173", "http://localhost:5199", "http://127.0.0.1:5199"]
    log_retention_days   = 1
    permissions_boundary = false
    local_endpoint       = "http://127.0.0.1:4566"
    artifacts_bucket     = ""
  }

  assert {
    condition = local.settings == {
      for name, row in jsondecode(file("tests/settings.json")) :
      name => replace(replace(jsonencode(can(row.local) ? row.local : row.all), "[prefix]", coalesce(var.name_prefix, "holdfast-${var.env}")), "[env]", var.env) if can(row.local) || can(row.all)
    }
    error_message = <<-EOT
      These settings of the stack are not in the column local of tests/settings.json (a row that the stack does not have is not listed):
      ${join("\n", setsubtract([for name, setting in local.settings : "${name} = ${setting}"], [
    for name, row in jsondecode(file("tests/settings.json")) :
    "${name} = ${replace(replace(jsonencode(can(row.local) ? row.local : row.all), "[prefix]", coalesce(var.name_prefix, "holdfast-${var.env}")), "[env]", var.env)}" if can(row.local) || can(row.all)
]))}
    EOT
}
}

run "each_setting_of_staging" {
  command = apply
  variables {
    env         = "staging"
    region      = "us-east-1"
    alias_owner = "deployer"
  }

  assert {
    condition = local.settings == {
      for name, row in jsondecode(file("tests/settings.json")) :
      name => replace(replace(jsonencode(can(row.staging) ? row.staging : row.all), "[prefix]", coalesce(var.name_prefix, "holdfast-${var.env}")), "[env]", var.env) if can(row.staging) || can(row.all)
    }
    error_message = <<-EOT
      These settings of the stack are not in the column staging of tests/settings.json (a row that the stack does not have is not listed):
      ${join("\n", setsubtract([for name, setting in local.settings : "${name} = ${setting}"], [
    for name, row in jsondecode(file("tests/settings.json")) :
    "${name} = ${replace(replace(jsonencode(can(row.staging) ? row.staging : row.all), "[prefix]", coalesce(var.name_prefix, "holdfast-${var.env}")), "[env]", var.env)}" if can(row.staging) || can(row.all)
]))}
    EOT
}
}

run "each_setting_of_production" {
  command = apply
  variables {
    env                = "production"
    region             = "us-east-1"
    log_retention_days = 90
    alias_owner        = "deployer"
  }

  assert {
    condition = local.settings == {
      for name, row in jsondecode(file("tests/settings.json")) :
      name => replace(replace(jsonencode(can(row.production) ? row.production : row.all), "[prefix]", coalesce(var.name_prefix, "holdfast-${var.env}")), "[env]", var.env) if can(row.production) || can(row.all)
    }
    error_message = <<-EOT
      These settings of the stack are not in the column production of tests/settings.json (a row that the stack does not have is not listed):
      ${join("\n", setsubtract([for name, setting in local.settings : "${name} = ${setting}"], [
    for name, row in jsondecode(file("tests/settings.json")) :
    "${name} = ${replace(replace(jsonencode(can(row.production) ? row.production : row.all), "[prefix]", coalesce(var.name_prefix, "holdfast-${var.env}")), "[env]", var.env)}" if can(row.production) || can(row.all)
]))}
    EOT
}
}

run "each_setting_follows_its_variable" {
  command = apply
  variables {
    env                             = "other"
    name_prefix                     = "changed"
    log_level                       = "debug"
    log_retention_days              = 7
    alias_owner                     = "deployer"
    permissions_boundary            = false
    runbooks_url                    = "https://wiki.example/runbooks"
    alarm_topic_arns                = ["arn:aws:sns:us-east-1:123456789012:alarms"]
    region                          = "eu-central-1"
    allowed_account_ids             = ["123456789012"]
    cache_provider                  = "redis"
    redis_delete_only               = true
    allowed_origins                 = ["https://a.example"]
    trusted_proxy                   = "cloudfront"
    origin_secret_sha256            = "0000000000000000000000000000000000000000000000000000000000000001"
    max_sessions_per_user           = 3
    access_token_ttl_seconds        = 101
    session_idle_seconds            = 103
    session_absolute_seconds        = 104
    stay_signed_in_idle_seconds     = 105
    stay_signed_in_absolute_seconds = 106
    refresh_grace_seconds           = 12
    cache_max_age_seconds           = 11
    device_trust_seconds            = 107
    max_login_attempts              = 7
    max_mfa_attempts                = 8
    reserved_concurrency            = { sessions-current = 7 }
  }

  override_data {
    target = module.context.data.aws_ssm_parameter.input["platform/kms-key-arn"]
    values = { insecure_value = "arn:aws:kms:us-east-1:123456789012:key/k" }
  }

  assert {
    condition = local.settings == {
      for name, row in jsondecode(file("tests/settings.json")) :
      name => replace(replace(jsonencode(can(row.changed) ? row.changed : row.all), "[prefix]", coalesce(var.name_prefix, "holdfast-${var.env}")), "[env]", var.env) if can(row.changed) || can(row.all)
    }
    error_message = <<-EOT
      These settings of the stack are not in the column changed of tests/settings.json (a row that the stack does not have is not listed):
      ${join("\n", setsubtract([for name, setting in local.settings : "${name} = ${setting}"], [
    for name, row in jsondecode(file("tests/settings.json")) :
    "${name} = ${replace(replace(jsonencode(can(row.changed) ? row.changed : row.all), "[prefix]", coalesce(var.name_prefix, "holdfast-${var.env}")), "[env]", var.env)}" if can(row.changed) || can(row.all)
]))}
    EOT
}
}
