output "account_id" {
  description = "The AWS account."
  value       = data.aws_caller_identity.current.account_id
}

output "alias_owner" {
  description = "The owner of the functions' alias; none on the local cloud, which does not route by weights."
  value       = local.alias_owner
}

output "api_tags" {
  description = "Tags of the HTTP API (`http`) and of the WebSocket API (`ws`). They set the ids of the APIs on the local cloud; empty on AWS."
  value       = local.api_tags
}

output "artifacts_bucket" {
  description = "Bucket that holds the functions' zips."
  value       = local.artifacts_bucket
}

output "cache_environment" {
  description = "Environment variables of a function that reads the cache or deletes entries from it."
  value       = local.cache_environment
}

output "cache_is_redis" {
  description = "Whether the cache is a server, Redis or Valkey."
  value       = local.cache_is_redis
}

output "http_environment" {
  description = "Environment variables of every function that has a route."
  value       = local.http_environment
}

output "input" {
  description = "Values of the parameters in `inputs`, by <stack>/<name>."
  value       = local.input
}

output "is_local" {
  description = "Whether the stack is on the local cloud."
  value       = local.is_local
}

output "kms_key_arn" {
  description = "The key for data at rest that the stack platform publishes; null for AWS's own keys, and for a stack that does not read it."
  value       = local.kms_key_arn
}

output "name_prefix" {
  description = "Prefix of all names."
  value       = local.name_prefix
}

output "partition" {
  description = "The AWS partition: aws, aws-cn, aws-us-gov."
  value       = data.aws_partition.current.partition
}

output "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of every role; null without a boundary."
  value       = local.permissions_boundary_arn
}

output "private_cache" {
  description = "Network, security group and permissions of the functions that use a cache on AWS (an input of the module `service`); null without such a cache."
  value       = local.private_cache
}

output "routes" {
  description = "The routes of this stack, sorted."
  value       = local.routes
}

output "runbooks" {
  description = "Address or path of the runbooks."
  value       = local.runbooks
}

output "session_environment" {
  description = "Environment variables of a function that checks sessions. They need platform/sessions-table-name in `inputs`."
  value       = local.session_environment
}

output "ssm_prefix" {
  description = "Prefix of the names of the environment's parameters."
  value       = local.ssm_prefix
}

output "tags" {
  description = "Tags of all resources in the stack."
  value       = local.tags
}

output "upload_artifacts" {
  description = "Whether Terraform creates the bucket of the zips and uploads them."
  value       = local.upload_artifacts
}
