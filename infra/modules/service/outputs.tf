output "functions" {
  description = "Every function by key: name, arn (to call), invoke_arn, qualifier, role_name."
  value = {
    for key, function in module.function : key => {
      name       = function.name
      arn        = function.arn
      invoke_arn = function.invoke_arn
      qualifier  = function.qualifier
      role_name  = function.role_name
    }
  }
}

output "definitions" {
  description = "Artifact, environment, permissions and settings of every function, by key, as inputs of the module lambda-function, for another instance of it."
  value       = { for key, function in module.function : key => function.definition }
}

output "function_names" {
  description = "Name of every function, by key."
  value       = { for key, function in module.function : key => function.name }
}

output "manifest_version" {
  description = "Version of the release."
  value       = local.manifest.version
}

output "watch" {
  description = "Input of the module alarms for every function, by key."
  value = {
    for key, function in module.function : key => {
      name                     = function.name
      timeout_seconds          = var.functions[key].timeout_seconds
      max_iterator_age_seconds = length(var.functions[key].stream_sources) == 0 ? null : 60
    }
  }
}

output "grants" {
  description = "Permissions of each function's role, by key, as `<action> <resource>`, with ` if <condition as JSON>` for a conditional one. For reviews and tests."
  value       = { for key, function in module.function : key => function.grants }
}

output "permissions_boundary_arns" {
  description = "Permissions boundary of each function's role, by key; null without one."
  value       = { for key, function in module.function : key => function.permissions_boundary_arn }
}

output "environment" {
  description = "Environment variables of every function, by key."
  value       = { for key, function in module.function : key => function.environment }
}

output "reserved_concurrency" {
  description = "Executions reserved for each function, by key; without the functions that have none reserved."
  value       = { for key, function in module.function : key => function.reserved_concurrency if try(function.reserved_concurrency >= 0, false) }
}

output "in_cache_network" {
  description = "Keys of the functions that run in the cache's network."
  value       = local.in_cache_network
}

output "vpc" {
  description = "Subnets and security groups of each function that runs in a VPC, by key."
  value       = { for key, function in module.function : key => function.vpc if function.vpc != null }
}

output "policy_documents" {
  description = "Ready IAM policy documents (JSON), by function: `invoke` it, and `call` its routes, where they ask for AWS_IAM; null without routes."
  value = { for key, function in module.function : key => {
    invoke = function.policy_documents.invoke
    call   = try(module.route[key].policy_documents.invoke, null)
  } }
}

output "stream_batches" {
  description = "Reading of streams, by function and stream source: records of one invocation, concurrent batches of a shard, and filter patterns (empty for every record). Functions without a stream are left out."
  value       = { for key, function in module.function : key => function.stream_batches if length(function.stream_batches) > 0 }
}

output "stream_retries" {
  description = "Retries of a record and its maximum age in seconds, by function and stream source. Functions without a stream are left out."
  value       = { for key, function in module.function : key => function.stream_retries if length(function.stream_retries) > 0 }
}

output "recursive_loops" {
  description = "Keys of the functions whose chains of invocations through a queue Lambda does not stop."
  value       = sort([for key, function in module.function : key if function.recursive_loop == "Allow"])
}

output "settings" {
  description = "Settings of each function and its log, by key, taken from the resources, for reviews and tests."
  value       = { for key, function in module.function : key => function.settings }
}

output "sources" {
  description = "Settings of each queue and stream that a function reads, by function and source, taken from the mappings, for reviews and tests."
  value       = { for key, function in module.function : key => function.sources if length(function.sources) > 0 }
}

output "routes" {
  description = "Function and authorization type of each route, by route key, taken from the routes: for reviews and tests."
  value       = merge([for function, route in module.route : { for key, authorization in route.routes : key => "${function} ${authorization}" }]...)
}
