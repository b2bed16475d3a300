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
  mock_resource "aws_cloudwatch_event_bus" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:event-bus/bus" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:rule/bus/rule" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/activity" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:relay-dlq", url = "https://sqs/relay-dlq" }
  }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/kms-key-arn"]
  values = { insecure_value = "none" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/sessions-stream-arn"]
  values = { insecure_value = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/2026" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["push/close-queue-url"]
  values = { insecure_value = "https://sqs/close" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["push/close-queue-arn"]
  values = { insecure_value = "arn:aws:sqs:us-east-1:123456789012:close" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["push/push-queue-url"]
  values = { insecure_value = "https://sqs/push" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["push/push-queue-arn"]
  values = { insecure_value = "arn:aws:sqs:us-east-1:123456789012:push" }
}

override_data {
  target = module.context.data.aws_ssm_parameter.input["platform/activity-table-name"]
  values = { insecure_value = "activity" }
}

override_resource {
  target = module.bus_dlq.aws_sqs_queue.this
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:bus-dlq", url = "https://sqs/bus-dlq" }
}

override_resource {
  target = module.relay_dlq.aws_sqs_queue.this
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:relay-dlq", url = "https://sqs/relay-dlq" }
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

override_resource {
  target = module.repair_dlq.aws_sqs_queue.this
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:repair-dlq", url = "https://sqs/repair-dlq" }
}

override_resource {
  target = module.subscriber["events-last-login"].module.dead_letter_queue.aws_sqs_queue.this
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:events-last-login-dlq", url = "https://sqs/events-last-login-dlq" }
}

override_resource {
  target = module.subscriber["events-last-login"].aws_cloudwatch_event_rule.this
  values = { arn = "arn:aws:events:us-east-1:123456789012:rule/bus/events-last-login" }
}

override_resource {
  target = module.subscriber["events-audit-trail"].module.dead_letter_queue.aws_sqs_queue.this
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:events-audit-trail-dlq", url = "https://sqs/events-audit-trail-dlq" }
}

override_resource {
  target = module.subscriber["events-audit-trail"].aws_cloudwatch_event_rule.this
  values = { arn = "arn:aws:events:us-east-1:123456789012:rule/bus/events-audit-trail" }
}

override_resource {
  target = module.subscriber["events-security-alerts"].module.dead_letter_queue.aws_sqs_queue.this
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:events-security-alerts-dlq", url = "https://sqs/events-security-alerts-dlq" }
}

override_resource {
  target = module.subscriber["events-security-alerts"].aws_cloudwatch_event_rule.this
  values = { arn = "arn:aws:events:us-east-1:123456789012:rule/bus/events-security-alerts" }
}

override_resource {
  target = module.service.module.function["events-last-login"].aws_lambda_function.this
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:events-last-login", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/events-last-login", version = "1" }
}

override_resource {
  target = module.service.module.function["events-last-login"].aws_lambda_alias.deployer
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:events-last-login:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/events-last-login:live" }
}

override_resource {
  target = module.service.module.function["events-audit-trail"].aws_lambda_function.this
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:events-audit-trail", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/events-audit-trail", version = "1" }
}

override_resource {
  target = module.service.module.function["events-audit-trail"].aws_lambda_alias.deployer
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:events-audit-trail:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/events-audit-trail:live" }
}

override_resource {
  target = module.service.module.function["events-security-alerts"].aws_lambda_function.this
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:events-security-alerts", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/events-security-alerts", version = "1" }
}

override_resource {
  target = module.service.module.function["events-security-alerts"].aws_lambda_alias.deployer
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:events-security-alerts:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/events-security-alerts:live" }
}

variables {
  release_manifest = "tests/release.json"
  artifacts_bucket = "artifacts"
}

run "each_setting_on_the_local_cloud" {
  command = apply
  variables {
    env                            = "local"
    deletion_protection_enabled    = false
    point_in_time_recovery_enabled = false
    log_retention_days             = 1
    permissions_boundary           = false
    local_endpoint                 = "http://127.0.0.1:4566"
    artifacts_bucket               = ""
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
    env                            = "other"
    name_prefix                    = "changed"
    log_level                      = "debug"
    log_retention_days             = 7
    alias_owner                    = "deployer"
    permissions_boundary           = false
    runbooks_url                   = "https://wiki.example/runbooks"
    alarm_topic_arns               = ["arn:aws:sns:us-east-1:123456789012:alarms"]
    region                         = "eu-central-1"
    allowed_account_ids            = ["123456789012"]
    cache_provider                 = "redis"
    redis_delete_only              = true
    event_archive_days             = 30
    audit_retention_days           = 500
    deletion_protection_enabled    = false
    point_in_time_recovery_enabled = false
    table_capacity                 = { activity = { read = { min = 20, max = 400 }, write = { min = 10, max = 200 }, target_utilization = 60 } }
    reserved_concurrency           = { events-relay = 7 }
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
