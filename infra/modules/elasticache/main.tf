locals {
  mode = var.create ? var.mode : "none"
  name = join("-", compact([var.name_prefix, var.name]))

  enabled    = local.mode == "none" ? {} : { this = true }
  serverless = local.mode == "serverless" ? { this = true } : {}
  node       = local.mode == "node" ? { this = true } : {}

  # Serverless caches serve reads from replicas on the next port.
  last_port = local.mode == "serverless" ? 6380 : 6379
  callers   = local.mode == "none" ? {} : var.caller_security_group_ids

  cache = try(aws_elasticache_serverless_cache.this["this"], aws_elasticache_replication_group.this["this"], null)
  endpoint = try(
    aws_elasticache_serverless_cache.this["this"].endpoint[0].address,
    local.cluster_mode ? aws_elasticache_replication_group.this["this"].configuration_endpoint_address : aws_elasticache_replication_group.this["this"].primary_endpoint_address,
    null,
  )
  # Serverless caches speak the cluster protocol, always.
  cluster_mode = local.mode == "serverless" || (local.mode == "node" && var.node.shards > 1)

  parameter_family = var.engine == "valkey" ? "valkey8" : "redis7"

  # Only these keys, only these commands, no channels. Connecting and authenticating need no permission.
  access_string = "on ~${var.key_pattern} resetchannels -@all ${join(" ", [for command in var.commands : "+${command}"])}"
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:It is attached to the cache below; the scanner does not follow for_each. tests/cache.tftest.hcl asserts it

  for_each = local.enabled

  name        = local.name
  description = "Cache ${local.name}: in from its callers' groups only."
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = local.name })
}

resource "aws_vpc_security_group_ingress_rule" "caller" {
  for_each = local.callers

  security_group_id            = aws_security_group.this["this"].id
  description                  = "TLS from ${each.key}."
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = local.last_port
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "caller" {
  for_each = local.callers

  security_group_id            = each.value
  description                  = "TLS to the cache ${local.name}."
  referenced_security_group_id = aws_security_group.this["this"].id
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = local.last_port
  tags                         = var.tags
}

# IAM authentication needs user_id = user_name: callers present a token that lives 15 minutes, no password exists.
resource "aws_elasticache_user" "app" {
  for_each = local.enabled

  user_id       = "${local.name}-app"
  user_name     = "${local.name}-app"
  engine        = var.engine
  access_string = local.access_string
  tags          = var.tags

  authentication_mode {
    type = "iam"
  }
}

# A Redis OSS group must have a user called default, so this one is off. A Valkey group needs none (and refuses users
# without authentication): there the default user is off unless it is added.
resource "aws_elasticache_user" "default" {
  for_each = var.engine == "redis" ? local.enabled : {}

  user_id       = "${local.name}-default"
  user_name     = "default"
  engine        = "redis"
  access_string = "off -@all"
  tags          = var.tags

  authentication_mode {
    type = "no-password-required"
  }
}

resource "aws_elasticache_user_group" "this" {
  for_each = local.enabled

  user_group_id = local.name
  engine        = var.engine
  user_ids      = concat([aws_elasticache_user.app["this"].user_id], [for user in aws_elasticache_user.default : user.user_id])
  tags          = var.tags
}

resource "aws_elasticache_serverless_cache" "this" {
  for_each = local.serverless

  name                 = local.name
  description          = "Session cache ${local.name}."
  engine               = var.engine
  major_engine_version = var.engine == "valkey" ? "8" : "7"
  subnet_ids           = var.subnet_ids
  security_group_ids   = [aws_security_group.this["this"].id]
  user_group_id        = aws_elasticache_user_group.this["this"].user_group_id
  kms_key_id           = var.kms_key_arn

  # A brake on cost. No snapshots: a restored cache would bring back what has been revoked since.
  cache_usage_limits {
    data_storage {
      maximum = var.serverless.max_data_gb
      unit    = "GB"
    }
    ecpu_per_second {
      maximum = var.serverless.max_ecpu_per_second
    }
  }
  snapshot_retention_limit = 0

  tags = var.tags
}

resource "aws_elasticache_subnet_group" "this" {
  for_each = local.node

  name        = local.name
  description = "Subnets of the cache ${local.name}."
  subnet_ids  = var.subnet_ids
  tags        = var.tags
}

# A group of its own only for what differs from AWS's default group. The engine refuses a cluster without cluster-enabled.
resource "aws_elasticache_parameter_group" "this" {
  for_each = length(var.node.parameters) > 0 ? local.node : {}

  name        = local.name
  description = "Parameters of the cache ${local.name}."
  family      = local.parameter_family
  tags        = var.tags

  dynamic "parameter" {
    for_each = merge(var.node.parameters, local.cluster_mode ? { cluster-enabled = "yes" } : {})
    content {
      name  = parameter.key
      value = parameter.value
    }
  }
}

resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV2_AWS_50:On if a shard has a replica, which is the default; without a replica no failover is possible

  for_each = local.node

  replication_group_id = local.name
  description          = "Session cache ${local.name}."
  engine               = var.engine
  engine_version       = var.engine == "valkey" ? "8.0" : "7.1"
  node_type            = var.node.type
  port                 = 6379

  num_node_groups            = var.node.shards
  replicas_per_node_group    = var.node.replicas_per_shard
  automatic_failover_enabled = var.node.replicas_per_shard > 0
  multi_az_enabled           = var.node.replicas_per_shard > 0
  parameter_group_name       = try(aws_elasticache_parameter_group.this["this"].name, "default.${local.parameter_family}${local.cluster_mode ? ".cluster.on" : ""}")
  maintenance_window         = var.node.maintenance_window

  dynamic "log_delivery_configuration" {
    for_each = var.node.log_delivery
    content {
      log_type         = log_delivery_configuration.key
      log_format       = "json"
      destination_type = log_delivery_configuration.value.destination_type
      destination      = log_delivery_configuration.value.destination
    }
  }

  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  user_group_ids             = [aws_elasticache_user_group.this["this"].user_group_id]

  subnet_group_name  = aws_elasticache_subnet_group.this["this"].name
  security_group_ids = [aws_security_group.this["this"].id]

  # No snapshots: a restored cache would bring back what has been revoked since. No upgrades by AWS either: such a cache no longer has the version
  # above, and Terraform plans a replacement to go back to it.
  snapshot_retention_limit   = 0
  auto_minor_version_upgrade = false
  apply_immediately          = false

  tags = var.tags
}
