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
  mock_resource "aws_apigatewayv2_authorizer" {
    defaults = { id = "connect" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = { id = "ws", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:ws" }
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

override_resource {
  target = module.queue["push"].aws_sqs_queue.this["main"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:push", url = "https://sqs/push" }
}

override_resource {
  target = module.queue["push"].aws_sqs_queue.this["dlq"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:push-dlq", url = "https://sqs/push-dlq" }
}

override_resource {
  target = module.queue["broadcast"].aws_sqs_queue.this["main"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:broadcast", url = "https://sqs/broadcast" }
}

override_resource {
  target = module.queue["broadcast"].aws_sqs_queue.this["dlq"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:broadcast-dlq", url = "https://sqs/broadcast-dlq" }
}

override_resource {
  target = module.queue["close"].aws_sqs_queue.this["main"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:close", url = "https://sqs/close" }
}

override_resource {
  target = module.queue["close"].aws_sqs_queue.this["dlq"]
  values = { arn = "arn:aws:sqs:us-east-1:123456789012:close-dlq", url = "https://sqs/close-dlq" }
}

override_resource {
  target = module.service.module.function["push-authorizer"].aws_lambda_function.this
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:push-authorizer", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/push-authorizer", version = "1" }
}

override_resource {
  target = module.service.module.function["push-authorizer"].aws_lambda_alias.deployer
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:push-authorizer:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/push-authorizer:live" }
}

override_resource {
  target = module.service.module.function["push-connect"].aws_lambda_function.this
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:push-connect", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/push-connect", version = "1" }
}

override_resource {
  target = module.service.module.function["push-connect"].aws_lambda_alias.deployer
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:push-connect:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/push-connect:live" }
}

override_resource {
  target = module.service.module.function["push-default"].aws_lambda_function.this
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:push-default", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/push-default", version = "1" }
}

override_resource {
  target = module.service.module.function["push-default"].aws_lambda_alias.deployer
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:push-default:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/push-default:live" }
}

override_resource {
  target = module.service.module.function["push-disconnect"].aws_lambda_function.this
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:push-disconnect", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/push-disconnect", version = "1" }
}

override_resource {
  target = module.service.module.function["push-disconnect"].aws_lambda_alias.deployer
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:push-disconnect:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/push-disconnect:live" }
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
    env                           = "other"
    name_prefix                   = "changed"
    log_level                     = "debug"
    log_retention_days            = 7
    alias_owner                   = "deployer"
    permissions_boundary          = false
    runbooks_url                  = "https://wiki.example/runbooks"
    alarm_topic_arns              = ["arn:aws:sns:us-east-1:123456789012:alarms"]
    region                        = "eu-central-1"
    allowed_account_ids           = ["123456789012"]
    allowed_origins               = ["https://a.example"]
    trusted_proxy                 = "cloudfront"
    origin_secret_sha256          = "0000000000000000000000000000000000000000000000000000000000000001"
    topic_policy                  = "news,sport"
    presence_policy               = "everyone"
    max_sessions_per_user         = 3
    connection_ttl_seconds        = 108
    max_connections_per_user      = 4
    websocket_throttling          = { rate_limit = 2000, burst_limit = 1500 }
    fanout_memory_mb              = 2048
    websocket_domain              = { name = "ws.a.example", certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/0123-abc" }
    push_maximum_concurrency      = 6
    broadcast_maximum_concurrency = 7
    close_maximum_concurrency     = 8
    push_p99_milliseconds         = 500
    account_requests_per_second   = 2000
    push_budget_percent           = { direct = 15, broadcast = 10, recovery = 4 }
    post_latency_milliseconds     = 40
    reserved_concurrency          = { push-ticket = 7 }
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
