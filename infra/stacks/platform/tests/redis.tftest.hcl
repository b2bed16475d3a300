mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1c", "us-east-1b", "us-east-1a"] }
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
  target = module.mfa_key.aws_kms_key.this
  values = { arn = "arn:aws:kms:us-east-1:123456789012:key/mfa", key_id = "mfa" }
}

variables {
  env              = "test"
  release_manifest = "tests/release.json"
  artifacts_bucket = "artifacts"
}

run "without_redis_there_is_no_network_and_no_cache" {
  command = apply
  assert {
    condition     = module.network.vpc_id == null && module.cache.url == null && length(local.cache) == 0 && !contains(keys(aws_ssm_parameter.output), "cache-url")
    error_message = "Nothing to pay for."
  }
}

run "redis_is_a_serverless_valkey_in_a_closed_network" {
  command = apply
  variables {
    cache_provider   = "redis"
    redis_mode       = "serverless"
    redis_serverless = { max_data_gb = 2, max_ecpu_per_second = 2000 }
  }
  assert {
    condition     = jsonencode(module.cache.settings.limits) == jsonencode(["2 GB, 2000 ECPU a second"])
    error_message = "The cache costs no more than the limits allow: ${jsonencode(module.cache.settings.limits)}"
  }
  assert {
    condition = { for key, parameter in aws_ssm_parameter.output : key => parameter.value if startswith(key, "cache-") || startswith(key, "network-") } == {
      cache-cluster                       = "true"
      cache-connect-arns                  = "arn:aws:elasticache:us-east-1:123456789012:serverlesscache:holdfast-test,arn:aws:elasticache:us-east-1:123456789012:user:holdfast-test-app"
      cache-name                          = "holdfast-test"
      cache-serverless                    = "true"
      cache-url                           = "rediss://c.serverless.cache.amazonaws.com:6379"
      cache-user                          = "holdfast-test-app"
      network-functions-security-group-id = "sg-functions"
      network-subnet-ids                  = "subnet-a,subnet-b"
    }
    error_message = "What the other stacks read."
  }
  assert {
    condition = jsondecode(module.network.endpoint_policy).Statement[0].Resource == flatten([
      for table in ["sessions", "t", "holdfast-test-activity"] : [for arn in ["arn:aws:dynamodb:us-east-1:123456789012:table/${table}"] : [arn, "${arn}/index/*"]]
    ])
    error_message = "The network reaches the tables of this environment and no other (the mocked connections table is called t)."
  }
  assert {
    condition     = jsondecode(module.network.kms_endpoint_policy).Statement[0].Resource == ["arn:aws:kms:us-east-1:123456789012:key/mfa"]
    error_message = "The functions for second factors reach their key from the network."
  }
  assert {
    condition     = module.cache.access_string == "on ~s:{* resetchannels -@all +eval +evalsha +fcall +function|load +get +set +del +info +time +ping +cluster|slots"
    error_message = "The user may touch our keys, with what the scripts call."
  }
  assert {
    condition     = module.service.in_cache_network == toset(["ops-health"]) && module.service.environment.ops-health.REDIS_URL == "rediss://c.serverless.cache.amazonaws.com:6379" && length([for grant in module.service.grants.ops-health : grant if startswith(grant, "elasticache:Connect ")]) == 2
    error_message = "Health looks at the cache, from its network."
  }
}

run "and_it_is_watched" {
  command = apply
  variables { cache_provider = "redis" }
  assert {
    condition     = length(setintersection(keys(module.alarms.alarm_arns), ["cache-unavailable", "cache-without-failover"])) == 2 && strcontains(module.alarms.descriptions.cache-unavailable, "docs/runbooks/cache-unavailable.md")
    error_message = "What ElastiCache says, with its runbook."
  }
  assert {
    condition     = { for key, evaluation in module.alarms.evaluations : key => evaluation if startswith(key, "cache-") } == { cache-unavailable = "1 of 1 of 300 s", cache-without-failover = "1 of 1 of 300 s" } && aws_cloudwatch_event_rule.cache_status["this"].schedule_expression == "rate(5 minutes)" && aws_lambda_permission.cache_status["this"].source_arn == aws_cloudwatch_event_rule.cache_status["this"].arn
    error_message = "As often as the cache is looked at: each datapoint counts."
  }
  assert {
    condition     = contains([for widget in jsondecode(module.dashboard["system"].body).widgets : widget.properties.title], "Validations")
    error_message = "Hits and misses are on the dashboard."
  }
}

run "or_nodes" {
  command = apply
  variables {
    cache_provider = "redis"
    redis_mode     = "node"
  }
  assert {
    condition     = local.cache.cache-url == "rediss://master.cache.amazonaws.com:6379" && local.cache.cache-cluster == "false" && local.cache.cache-serverless == "false"
    error_message = "One shard is one address, and its tokens are signed differently."
  }
}

run "or_a_cluster_of_nodes" {
  command = apply
  variables {
    cache_provider = "redis"
    redis_mode     = "node"
    redis_node     = { shards = 2 }
  }
  assert {
    condition     = local.cache.cache-url == "rediss://clustercfg.cache.amazonaws.com:6379" && local.cache.cache-cluster == "true" && endswith(module.cache.access_string, " +asking")
    error_message = "A client that is sent on while slots move has to ask."
  }
}

run "delete_only_needs_the_cache" {
  command = apply
  variables {
    cache_provider    = "redis"
    redis_delete_only = true
  }
  assert {
    condition     = module.service.environment.ops-health.CACHE_PROVIDER == "dynamodb" && module.service.environment.ops-health.REDIS_URL == local.cache.cache-url
    error_message = "Between the providers."
  }
}

run "the_cache_can_outlive_its_use" {
  command = apply
  variables { redis_keep = true }
  assert {
    condition     = module.network.vpc_id == "vpc-1" && module.cache.name == "holdfast-test" && contains(keys(aws_ssm_parameter.output), "cache-url")
    error_message = "While functions of other stacks leave the network, it stays."
  }
  assert {
    condition     = length(module.service.in_cache_network) == 0 && !contains(keys(module.service.environment.ops-health), "REDIS_URL")
    error_message = "Nobody uses it any more."
  }
}

run "the_local_cloud_has_no_network" {
  command = apply
  variables {
    local_endpoint   = "http://127.0.0.1:4566"
    artifacts_bucket = ""
    cache_provider   = "redis"
    local_redis_url  = "redis://127.0.0.1:6379/0"
  }
  assert {
    condition     = module.network.vpc_id == null && module.cache.url == null && length(module.service.in_cache_network) == 0
    error_message = "Redis is a process there."
  }
}

run "refuses_wrong_sizes" {
  command = plan
  variables {
    redis_mode         = "cluster"
    redis_engine       = "memcached"
    availability_zones = ["us-east-1a", "us-east-1a"]
  }
  expect_failures = [var.redis_mode, var.redis_engine, var.availability_zones]
}

run "refuses_zones_of_another_region" {
  command = plan
  variables { availability_zones = ["eu-west-1a", "eu-west-1b"] }
  expect_failures = [var.availability_zones]
}

run "a_cache_that_is_deployed_keeps_its_mode" {
  command = apply
  variables { cache_provider = "redis" }
  override_data {
    target = data.aws_ssm_parameters_by_path.deployed
    values = { names = ["/holdfast/test/platform/cache-serverless", "/holdfast/test/platform/http-url"], values = ["true", "https://a.example"] }
  }
  assert {
    condition     = local.redis_mode == "serverless" && local.cache.cache-serverless == "true"
    error_message = "The default must not replace a serverless cache: its sessions would be lost."
  }
}

run "a_new_cache_is_of_nodes_in_two_zones_that_the_account_has" {
  command = apply
  variables { cache_provider = "redis" }
  override_data {
    target = data.aws_ssm_parameters_by_path.deployed
    values = { names = [], values = [] }
  }
  override_data {
    target = data.aws_availability_zones.own
    values = { names = ["us-east-1f", "us-east-1c", "us-east-1b"] }
  }
  override_resource {
    target = module.network.aws_subnet.private["us-east-1c"]
    values = { id = "subnet-c" }
  }
  assert {
    condition     = local.redis_mode == "node" && local.cache.cache-serverless == "false"
    error_message = "Whether a serverless cache shows its servers' identity is not documented."
  }
  assert {
    condition     = module.network.settings.zones == tolist(["us-east-1b 10.40.0.0/20", "us-east-1c 10.40.16.0/20"])
    error_message = "The account has no zone a here: ${jsonencode(module.network.settings)}"
  }
}
