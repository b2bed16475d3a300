output "name" {
  description = "Name of the function."
  value       = local.function_name
}

output "arn" {
  description = "ARN to call: of the alias when there is one, else of the function."
  value       = local.qualified_arn
}

output "function_arn" {
  description = "ARN of the function without qualifier."
  value       = local.function_arn
}

output "invoke_arn" {
  description = "ARN for API Gateway integrations; of the alias when there is one."
  value       = local.qualifier == null ? try(aws_lambda_function.this["this"].invoke_arn, null) : try(local.alias.invoke_arn, null)
}

output "qualifier" {
  description = "Name of the alias to call; null without one."
  value       = var.create ? local.qualifier : null
}

output "version" {
  description = "Version last published; $LATEST without versions."
  value       = try(aws_lambda_function.this["this"].version, null)
}

output "role_name" {
  description = "Name of the execution role."
  value       = try(aws_iam_role.this["this"].name, null)
}

output "role_arn" {
  description = "ARN of the execution role."
  value       = try(aws_iam_role.this["this"].arn, null)
}

output "permissions_boundary_arn" {
  description = "Permissions boundary of the execution role; null without one."
  value       = try(aws_iam_role.this["this"].permissions_boundary, null)
}

output "log_group_name" {
  description = "Name of the log group."
  value       = try(aws_cloudwatch_log_group.this["this"].name, null)
}

output "source_code_hash" {
  description = "base64 of the artifact's SHA-256, as Lambda reports it."
  value       = local.code_hash
}

output "description" {
  description = "Description of the function."
  value       = try(aws_lambda_function.this["this"].description, null)
}

output "artifact" {
  description = "Location of the function's zip: a file, or `<bucket>/<key>`."
  value       = try(coalesce(aws_lambda_function.this["this"].filename, join("/", compact([aws_lambda_function.this["this"].s3_bucket, aws_lambda_function.this["this"].s3_key]))), null)
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON): `invoke` the function."
  value = var.create ? {
    invoke = jsonencode({
      Version   = "2012-10-17"
      Statement = [{ Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = [local.qualified_arn] }]
    })
  } : null
}

output "grants" {
  description = "Permissions of the role, as `<action> <resource>`, with ` if <condition as JSON>` for a conditional one. Taken from the policy, for reviews and tests."
  value = var.create ? sort(flatten([
    for statement in jsondecode(aws_iam_role_policy.this["this"].policy).Statement : [
      for action in statement.Action : [
        for resource in statement.Resource : join("", ["${action} ${resource}", can(statement.Condition) ? " if ${jsonencode(statement.Condition)}" : ""])
      ]
    ] if statement.Effect == "Allow"
  ])) : []
}

output "environment" {
  description = "Environment variables of the function."
  value       = try(aws_lambda_function.this["this"].environment[0].variables, null)
}

output "stream_retries" {
  description = "Retries of a record and its maximum age in seconds, by stream source."
  value = { for key, source in aws_lambda_event_source_mapping.stream : key => {
    attempts    = source.maximum_retry_attempts
    age_seconds = source.maximum_record_age_in_seconds
  } }
}

output "stream_batches" {
  description = "Reading of each stream source, by source: records of one invocation, concurrent batches of a shard, and filter patterns (empty for every record)."
  value = { for key, source in aws_lambda_event_source_mapping.stream : key => {
    batch_size             = source.batch_size
    parallelization_factor = source.parallelization_factor
    filter_patterns        = sort(flatten([for criteria in source.filter_criteria : [for filter in criteria.filter : filter.pattern]]))
  } }
}

output "reserved_concurrency" {
  description = "Executions reserved for the function; null for none."
  value       = var.create ? var.reserved_concurrency : null
}

output "vpc" {
  description = "Subnets and security groups of the function; null outside any VPC."
  value = try({
    subnet_ids         = aws_lambda_function.this["this"].vpc_config[0].subnet_ids
    security_group_ids = aws_lambda_function.this["this"].vpc_config[0].security_group_ids
  }, null)
}

output "recursive_loop" {
  description = "Lambda's reaction to a chain of invocations through the same queue, taken from the resource: Allow or Terminate."
  value       = try(aws_lambda_function_recursion_config.this["this"].recursive_loop, "Terminate")
}

output "settings" {
  description = "Settings of the function and its log, taken from the resources, for reviews and tests."
  value = try({ for function in [aws_lambda_function.this["this"]] : "this" => {
    alias_owner          = length(aws_lambda_alias.terraform) > 0 ? "terraform" : length(aws_lambda_alias.deployer) > 0 ? "deployer" : "none"
    architectures        = function.architectures
    artifacts_bucket     = function.s3_bucket
    kms_key_arn          = function.kms_key_arn
    log_days             = aws_cloudwatch_log_group.this["this"].retention_in_days
    log_format           = function.logging_config[0].log_format
    log_kms_key_arn      = aws_cloudwatch_log_group.this["this"].kms_key_id
    log_level            = function.logging_config[0].application_log_level
    memory_mb            = function.memory_size
    publishes_versions   = function.publish
    reserved_concurrency = function.reserved_concurrent_executions
    system_log_level     = function.logging_config[0].system_log_level
    timeout_seconds      = function.timeout
    tracing              = function.tracing_config[0].mode
  } }["this"], null)
}

output "definition" {
  description = "Artifact, environment, permissions and settings of the function, as inputs of this module, for another instance of it. An instance has its own name, event sources and reserved executions."
  value = {
    application_log_level    = var.application_log_level
    architecture             = var.architecture
    artifact                 = var.artifact
    code_signing_config_arn  = var.code_signing_config_arn
    environment              = var.environment
    handler                  = var.handler
    kms_key_arn              = var.kms_key_arn
    log_retention_days       = var.log_retention_days
    memory_size_mb           = var.memory_size_mb
    permissions              = var.permissions
    permissions_boundary_arn = var.permissions_boundary_arn
    runtime                  = var.runtime
    system_log_level         = var.system_log_level
    tags                     = var.tags
    timeout_seconds          = var.timeout_seconds
    tracing_enabled          = var.tracing_enabled
    vpc                      = var.vpc
  }
}

output "sources" {
  description = "Settings of each queue and stream that the function reads, by source, taken from the mappings, for reviews and tests."
  value = merge(
    { for key, source in aws_lambda_event_source_mapping.queue : key => {
      arn                 = source.event_source_arn
      batch_size          = source.batch_size
      maximum_concurrency = one([for scaling in source.scaling_config : scaling.maximum_concurrency])
      response_types      = sort(coalesce(source.function_response_types, []))
      window_seconds      = source.maximum_batching_window_in_seconds
    } },
    { for key, source in aws_lambda_event_source_mapping.stream : key => {
      age_seconds            = source.maximum_record_age_in_seconds
      arn                    = source.event_source_arn
      attempts               = source.maximum_retry_attempts
      batch_size             = source.batch_size
      bisects                = source.bisect_batch_on_function_error
      failures_to_arn        = source.destination_config[0].on_failure[0].destination_arn
      filters                = sort(flatten([for criteria in source.filter_criteria : [for filter in criteria.filter : filter.pattern]]))
      parallelization_factor = source.parallelization_factor
      response_types         = sort(coalesce(source.function_response_types, []))
      starting_position      = source.starting_position
      window_seconds         = source.maximum_batching_window_in_seconds
    } },
  )
}
