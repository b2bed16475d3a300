output "name" {
  description = "Name of the cache, which an IAM token is signed for; null with mode none."
  value       = local.mode == "none" ? null : local.name
}

output "user_name" {
  description = "User to connect as; null with mode none."
  value       = try(aws_elasticache_user.app["this"].user_name, null)
}

output "url" {
  description = "Address of the cache (rediss://…, TLS always); null with mode none."
  value       = local.mode == "none" ? null : "rediss://${local.endpoint}:6379"
}

output "cluster_mode" {
  description = "Whether the cache speaks the cluster protocol (serverless caches always do)."
  value       = local.cluster_mode
}

output "serverless" {
  description = "Whether the cache is serverless; an IAM token is signed differently then."
  value       = local.mode == "serverless"
}

output "security_group_id" {
  description = "Security group of the cache; null with mode none."
  value       = try(aws_security_group.this["this"].id, null)
}

output "access_string" {
  description = "Permissions of the user, in the form of the server's ACL."
  value       = local.access_string
}

output "connect_arns" {
  description = "Resources for elasticache:Connect: the cache and its user."
  value       = local.mode == "none" ? [] : [local.cache.arn, aws_elasticache_user.app["this"].arn]
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `connect` to the cache; null with mode none."
  value = local.mode == "none" ? null : {
    connect = jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect   = "Allow"
        Action   = ["elasticache:Connect"]
        Resource = [local.cache.arn, aws_elasticache_user.app["this"].arn]
      }]
    })
  }
}

output "settings" {
  description = "Settings of the cache and its users, taken from the resources, for reviews and tests."
  value = {
    authentication = { for user in concat(values(aws_elasticache_user.app), values(aws_elasticache_user.default)) : user.user_name => "${user.authentication_mode[0].type} ${user.access_string}" }
    engines = concat(
      [for cache in aws_elasticache_serverless_cache.this : "${cache.engine} ${cache.major_engine_version}"],
      [for cache in aws_elasticache_replication_group.this : "${cache.engine} ${cache.engine_version} on ${cache.node_type}, ${cache.num_node_groups} × ${cache.replicas_per_node_group}"],
    )
    fails_over  = [for cache in aws_elasticache_replication_group.this : cache.automatic_failover_enabled && cache.multi_az_enabled]
    kms_key_ids = concat([for cache in aws_elasticache_serverless_cache.this : cache.kms_key_id], [for cache in aws_elasticache_replication_group.this : cache.kms_key_id])
    limits      = [for cache in aws_elasticache_serverless_cache.this : "${cache.cache_usage_limits[0].data_storage[0].maximum} ${cache.cache_usage_limits[0].data_storage[0].unit}, ${cache.cache_usage_limits[0].ecpu_per_second[0].maximum} ECPU a second"]
    snapshots   = concat([for cache in aws_elasticache_serverless_cache.this : cache.snapshot_retention_limit], [for cache in aws_elasticache_replication_group.this : cache.snapshot_retention_limit])
    encryption  = [for cache in aws_elasticache_replication_group.this : "${cache.transit_encryption_mode} ${cache.transit_encryption_enabled}, at rest ${cache.at_rest_encryption_enabled}"]
  }
}
