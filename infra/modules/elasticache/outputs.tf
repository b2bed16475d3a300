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
  description = "What the user may do, as the server's ACL has it."
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
