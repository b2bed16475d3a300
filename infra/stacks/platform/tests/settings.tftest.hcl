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
  mock_resource "aws_apigatewayv2_api" {
    defaults = { id = "http", api_endpoint = "https://http.execute-api.us-east-1.amazonaws.com", execution_arn = "arn:aws:execute-api:us-east-1:123456789012:http" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t", stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026" }
  }
  mock_resource "aws_vpc" {
    defaults = { id = "vpc-1" }
  }
  mock_resource "aws_elasticache_user" {
    defaults = { arn = "arn:aws:elasticache:us-east-1:123456789012:user:holdfast-test-app" }
  }
  mock_resource "aws_elasticache_serverless_cache" {
    defaults = { arn = "arn:aws:elasticache:us-east-1:123456789012:serverlesscache:holdfast-test", endpoint = [{ address = "c.serverless.cache.amazonaws.com", port = 6379 }] }
  }
  mock_resource "aws_elasticache_replication_group" {
    defaults = {
      arn                            = "arn:aws:elasticache:us-east-1:123456789012:replicationgroup:holdfast-test"
      primary_endpoint_address       = "master.cache.amazonaws.com"
      configuration_endpoint_address = "clustercfg.cache.amazonaws.com"
    }
  }
  mock_data "aws_region" {
    defaults = { id = "us-east-1" }
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
  target = module.sessions_table.aws_dynamodb_table.provisioned
  values = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions", stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/sessions/stream/2026" }
}

override_resource {
  target = module.connections_table.aws_dynamodb_table.provisioned
  values = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/connections", stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/connections/stream/2026" }
}

override_resource {
  target = module.mfa_key.aws_kms_key.this
  values = { arn = "arn:aws:kms:us-east-1:123456789012:key/mfa", key_id = "mfa" }
}

override_resource {
  target = module.network.aws_subnet.private["us-east-1a"]
  values = { id = "subnet-a" }
}

override_resource {
  target = module.network.aws_subnet.private["us-east-1b"]
  values = { id = "subnet-b" }
}

override_resource {
  target = module.network.aws_security_group.functions["this"]
  values = { id = "sg-functions" }
}

override_resource {
  target = aws_s3_bucket.local_artifacts
  values = { id = "holdfast-local-artifacts" }
}

override_resource {
  target = module.network.aws_subnet.private["eu-central-1b"]
  values = { id = "subnet-b" }
}

override_resource {
  target = module.network.aws_subnet.private["eu-central-1c"]
  values = { id = "subnet-c" }
}

override_resource {
  target = module.service.module.function["ops-cache-status"].aws_lambda_function.this
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:ops-cache-status", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/ops-cache-status", version = "1" }
}

override_resource {
  target = module.service.module.function["ops-cache-status"].aws_lambda_alias.deployer
  values = { arn = "arn:aws:lambda:us-east-1:123456789012:function:ops-cache-status:live", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/ops-cache-status:live" }
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
    allowed_origins                = ["http://localhost:5173", "http://127.0.0.1:5173", "http://localhost:5199", "http://127.0.0.1:5199"]
    log_retention_days             = 1
    permissions_boundary           = false
    health_details                 = "everyone"
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

  override_data {
    target = data.aws_ssm_parameters_by_path.routes["this"]
    values = { names = ["/holdfast/x/routes/platform"], values = ["$default,GET /v1/health,GET /v1/sessions/current,HEAD /v1/health,POST /v1/auth/login,POST /v1/auth/mfa/verify,POST /v1/auth/reauthenticate,POST /v1/auth/refresh,POST /v1/users"] }
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

  override_data {
    target = data.aws_ssm_parameters_by_path.routes["this"]
    values = { names = ["/holdfast/x/routes/platform"], values = ["$default,GET /v1/health,GET /v1/sessions/current,HEAD /v1/health,POST /v1/auth/login,POST /v1/auth/mfa/verify,POST /v1/auth/reauthenticate,POST /v1/auth/refresh,POST /v1/users"] }
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
    allowed_origins                = ["https://a.example"]
    trusted_proxy                  = "cloudfront"
    origin_secret_sha256           = "0000000000000000000000000000000000000000000000000000000000000001"
    http_throttling                = { rate_limit = 2000, burst_limit = 1500 }
    account_requests_per_second    = 2500
    route_throttles                = { "GET /v1/health" = { rate_limit = 3, burst_limit = 4 } }
    health_details                 = "everyone"
    deletion_protection_enabled    = false
    point_in_time_recovery_enabled = false
    table_capacity                 = { sessions = { read = { min = 20, max = 400 }, write = { min = 10, max = 200 } }, connections = { read = { min = 30, max = 300 }, write = { min = 40, max = 500 }, target_utilization = 60 } }
    http_domain                    = { name = "api.a.example", site = "a.example", certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/0123-abc", only = true }
    kms_mode                       = "cmk"
    table_names                    = { sessions = "changed-sessions-2", connections = "changed-connections-2", activity = "changed-activity-2" }
    service_dashboards_enabled     = false
    redis_keep                     = true
    redis_mode                     = "node"
    redis_engine                   = "redis"
    redis_serverless               = { max_data_gb = 2, max_ecpu_per_second = 6000 }
    redis_node                     = { type = "cache.r7g.large", shards = 2, replicas_per_shard = 2 }
    availability_zones             = ["eu-central-1b", "eu-central-1c"]
    network_cidr_block             = "10.41.0.0/16"
    reserved_concurrency           = { ops-health = 7 }
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.routes["this"]
    values = { names = ["/holdfast/x/routes/platform"], values = ["$default,GET /v1/health,GET /v1/sessions/current,HEAD /v1/health,POST /v1/auth/login,POST /v1/auth/mfa/verify,POST /v1/auth/reauthenticate,POST /v1/auth/refresh,POST /v1/users"] }
  }

  override_resource {
    target = module.kms.aws_kms_key.this
    values = { arn = "arn:aws:kms:us-east-1:123456789012:key/k", key_id = "k" }
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
