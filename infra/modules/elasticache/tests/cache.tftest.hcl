mock_provider "aws" {
  mock_resource "aws_security_group" {
    defaults = { id = "sg-cache" }
  }
  mock_resource "aws_elasticache_user" {
    defaults = { arn = "arn:aws:elasticache:us-east-1:123456789012:user:example-app" }
  }
  mock_resource "aws_elasticache_serverless_cache" {
    defaults = { arn = "arn:aws:elasticache:us-east-1:123456789012:serverlesscache:example", endpoint = [{ address = "example.serverless.cache.amazonaws.com", port = 6379 }] }
  }
  mock_resource "aws_elasticache_replication_group" {
    defaults = {
      arn                            = "arn:aws:elasticache:us-east-1:123456789012:replicationgroup:example"
      primary_endpoint_address       = "master.example.cache.amazonaws.com"
      configuration_endpoint_address = "clustercfg.example.cache.amazonaws.com"
    }
  }
}

variables {
  name                      = "example"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-1", "subnet-2"]
  caller_security_group_ids = { functions = "sg-functions" }
  key_pattern               = "app:{*"
  commands                  = ["get", "cluster|slots"]
}

run "none_makes_nothing" {
  command = plan
  variables {
    vpc_id                    = null
    subnet_ids                = []
    caller_security_group_ids = {}
  }
  assert {
    condition     = length(aws_security_group.this) + length(aws_elasticache_user.app) + length(aws_elasticache_user_group.this) == 0 && output.url == null && output.policy_documents == null
    error_message = "Without a cache nothing may be created."
  }
}

run "serverless_is_valkey_with_iam_and_a_brake" {
  command = apply
  variables {
    mode        = "serverless"
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
  }
  assert {
    condition     = aws_elasticache_serverless_cache.this["this"].engine == "valkey" && length(aws_elasticache_replication_group.this) == 0
    error_message = "Valkey is the default engine."
  }
  assert {
    condition     = aws_elasticache_user.app["this"].user_id == aws_elasticache_user.app["this"].user_name && aws_elasticache_user.app["this"].authentication_mode[0].type == "iam" && length(aws_elasticache_user.default) == 0
    error_message = "IAM authentication needs user_id = user_name, and no user without authentication."
  }
  assert {
    condition     = aws_elasticache_user.app["this"].access_string == "on ~app:{* resetchannels -@all +get +cluster|slots" && output.access_string == aws_elasticache_user.app["this"].access_string
    error_message = "Only these keys, only these commands, no channels."
  }
  assert {
    condition     = aws_elasticache_serverless_cache.this["this"].cache_usage_limits[0].data_storage[0].maximum == 1 && aws_elasticache_serverless_cache.this["this"].cache_usage_limits[0].ecpu_per_second[0].maximum == 5000 && aws_elasticache_serverless_cache.this["this"].snapshot_retention_limit == 0
    error_message = "A brake on cost, and no snapshot that could bring back a revoked session."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.caller["functions"].referenced_security_group_id == "sg-functions" && aws_vpc_security_group_egress_rule.caller["functions"].security_group_id == "sg-functions" && aws_vpc_security_group_ingress_rule.caller["functions"].to_port == 6380
    error_message = "In from the callers' group only, and their way out."
  }
  assert {
    condition     = aws_elasticache_serverless_cache.this["this"].security_group_ids == toset([aws_security_group.this["this"].id])
    error_message = "The cache must have the group that its callers are let in by."
  }
  assert {
    condition     = output.cluster_mode && output.serverless && output.url == "rediss://example.serverless.cache.amazonaws.com:6379"
    error_message = "Serverless caches speak the cluster protocol, over TLS."
  }
  assert {
    condition     = jsondecode(output.policy_documents.connect).Statement[0].Resource == ["arn:aws:elasticache:us-east-1:123456789012:serverlesscache:example", "arn:aws:elasticache:us-east-1:123456789012:user:example-app"]
    error_message = "Connecting is for this cache as this user."
  }
  assert {
    condition     = aws_elasticache_serverless_cache.this["this"].user_group_id == "example" && aws_elasticache_user_group.this["this"].user_ids == toset(["example-app"]) && aws_elasticache_serverless_cache.this["this"].kms_key_id == "arn:aws:kms:us-east-1:123456789012:key/k"
    error_message = "Only this user, by IAM; at rest under the caller's key."
  }
  assert {
    condition     = jsonencode([for rule in [aws_vpc_security_group_ingress_rule.caller["functions"], aws_vpc_security_group_egress_rule.caller["functions"]] : [rule.ip_protocol, rule.from_port, rule.to_port, rule.cidr_ipv4]]) == jsonencode([["tcp", 6379, 6380, null], ["tcp", 6379, 6380, null]])
    error_message = "The cache's ports, of no addresses but the callers' group."
  }
}

run "nodes_fail_over_and_speak_tls_only" {
  command = apply
  variables {
    mode        = "node"
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/k"
  }
  assert {
    condition     = aws_elasticache_replication_group.this["this"].auto_minor_version_upgrade == "false" && aws_elasticache_replication_group.this["this"].engine_version == "8.0"
    error_message = "The version changes with Terraform only: a version that AWS has raised would be replaced by the next plan."
  }
  assert {
    condition     = aws_elasticache_replication_group.this["this"].user_group_ids == toset(["example"]) && aws_elasticache_replication_group.this["this"].kms_key_id == "arn:aws:kms:us-east-1:123456789012:key/k"
    error_message = "Only the users of its group; at rest under the caller's key."
  }
  assert {
    condition     = aws_elasticache_replication_group.this["this"].transit_encryption_enabled && aws_elasticache_replication_group.this["this"].transit_encryption_mode == "required" && aws_elasticache_replication_group.this["this"].at_rest_encryption_enabled == "true"
    error_message = "Encrypted on the way and at rest."
  }
  assert {
    condition     = aws_elasticache_replication_group.this["this"].automatic_failover_enabled && aws_elasticache_replication_group.this["this"].multi_az_enabled && aws_elasticache_replication_group.this["this"].snapshot_retention_limit == 0
    error_message = "A replica in another zone takes over; no snapshots."
  }
  assert {
    condition     = aws_elasticache_replication_group.this["this"].security_group_ids == toset([aws_security_group.this["this"].id])
    error_message = "The cache must have the group that its callers are let in by."
  }
  assert {
    condition     = !output.cluster_mode && output.url == "rediss://master.example.cache.amazonaws.com:6379" && aws_vpc_security_group_ingress_rule.caller["functions"].to_port == 6379
    error_message = "One shard is one address."
  }
}

run "shards_make_a_cluster" {
  command = apply
  variables {
    mode   = "node"
    engine = "redis"
    node   = { shards = 2, replicas_per_shard = 0 }
  }
  assert {
    condition     = output.cluster_mode && output.url == "rediss://clustercfg.example.cache.amazonaws.com:6379" && aws_elasticache_replication_group.this["this"].parameter_group_name == "default.redis7.cluster.on"
    error_message = "More shards speak the cluster protocol."
  }
  assert {
    condition     = aws_elasticache_user.default["this"].access_string == "off -@all" && aws_elasticache_user.default["this"].user_name == "default"
    error_message = "A Redis OSS group must have a default user: it is off."
  }
}

run "refuses_wrong_values" {
  command = plan
  variables {
    mode        = "big"
    name        = "Has-Upper"
    engine      = "memcached"
    key_pattern = "*"
    commands    = ["+@all"]
    serverless  = { max_data_gb = 0 }
    node        = { type = "t4g.micro" }
    tags        = { "aws:owner" = "me" }
    kms_key_arn = "alias/mine"
  }
  expect_failures = [var.mode, var.name, var.engine, var.key_pattern, var.commands, var.serverless, var.node, var.tags, var.kms_key_arn]
}

run "refuses_a_cache_without_network_or_callers" {
  command = plan
  variables {
    mode                      = "serverless"
    vpc_id                    = null
    subnet_ids                = ["subnet-1"]
    caller_security_group_ids = {}
    serverless                = { max_ecpu_per_second = 999 }
    node                      = { shards = 91 }
  }
  expect_failures = [var.vpc_id, var.subnet_ids, var.caller_security_group_ids, var.serverless, var.node]
}

run "refuses_a_user_that_could_change_the_server" {
  command = plan
  variables {
    commands = ["get", "flushall", "client"]
  }
  expect_failures = [var.commands]
}

run "refuses_a_user_that_may_do_nothing" {
  command = plan
  variables {
    commands = []
  }
  expect_failures = [var.commands]
}

run "the_prefix_goes_before_every_name" {
  command = apply
  variables {
    mode        = "serverless"
    name_prefix = "team"
  }
  assert {
    condition     = aws_elasticache_serverless_cache.this["this"].name == "team-example" && output.user_name == "team-example-app" && aws_security_group.this["this"].name == "team-example"
    error_message = "The name must start with the prefix."
  }
}

run "create_false_makes_nothing" {
  command = plan
  variables {
    mode   = "serverless"
    create = false
  }
  assert {
    condition     = length(aws_security_group.this) + length(aws_elasticache_serverless_cache.this) + length(aws_elasticache_user.app) == 0 && output.url == null
    error_message = "Nothing may be created."
  }
}

run "parameters_window_and_logs_of_nodes_can_be_set" {
  command = apply
  variables {
    mode = "node"
    node = {
      shards             = 2
      parameters         = { maxmemory-policy = "allkeys-lru" }
      maintenance_window = "sun:05:00-sun:06:00"
      log_delivery       = { slow-log = { destination = "/cache/slow" }, engine-log = { destination_type = "kinesis-firehose", destination = "cache-engine" } }
    }
  }
  assert {
    condition     = aws_elasticache_parameter_group.this["this"].family == "valkey8" && { for parameter in aws_elasticache_parameter_group.this["this"].parameter : parameter.name => parameter.value } == { maxmemory-policy = "allkeys-lru", cluster-enabled = "yes" } && aws_elasticache_replication_group.this["this"].parameter_group_name == aws_elasticache_parameter_group.this["this"].name
    error_message = "The parameter, in a group for a cluster, which the cache uses."
  }
  assert {
    condition = aws_elasticache_replication_group.this["this"].maintenance_window == "sun:05:00-sun:06:00" && { for log in aws_elasticache_replication_group.this["this"].log_delivery_configuration : log.log_type => [log.log_format, log.destination_type, log.destination] } == {
      engine-log = ["json", "kinesis-firehose", "cache-engine"]
      slow-log   = ["json", "cloudwatch-logs", "/cache/slow"]
    }
    error_message = "The window and both logs as asked for."
  }
}

run "without_parameters_nodes_use_the_group_of_aws" {
  command = plan
  variables { mode = "node" }
  assert {
    condition     = length(aws_elasticache_parameter_group.this) == 0 && aws_elasticache_replication_group.this["this"].parameter_group_name == "default.valkey8" && length(aws_elasticache_replication_group.this["this"].log_delivery_configuration) == 0
    error_message = "No group of its own, and no logs."
  }
}

run "refuses_to_switch_the_cluster_by_a_parameter" {
  command = plan
  variables {
    mode = "node"
    node = { parameters = { cluster-enabled = "yes" } }
  }
  expect_failures = [var.node]
}

run "refuses_a_window_without_days" {
  command = plan
  variables {
    mode = "node"
    node = { maintenance_window = "05:00-06:00" }
  }
  expect_failures = [var.node]
}

run "refuses_an_unknown_log" {
  command = plan
  variables {
    mode = "node"
    node = { log_delivery = { audit-log = { destination = "/cache/audit" } } }
  }
  expect_failures = [var.node]
}
