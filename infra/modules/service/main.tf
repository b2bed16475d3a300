locals {
  catalogue = jsondecode(file(var.catalogue_file))
  manifest  = jsondecode(file(var.release_manifest))

  functions = { for key, function in var.functions : key => function if var.create }

  # The catalogue decides which functions the stack has and what calls them; the stack says what each may do.
  entries = { for key, entry in local.catalogue : key => entry if entry.stack == var.stack }

  # Functions that read or delete a cache say so in their environment.
  in_cache_network = toset([for key, function in local.functions : key if var.private_cache != null && contains(keys(function.environment), "CACHE_PROVIDER")])

  cache_permission = var.private_cache == null ? {} : {
    Cache = { actions = toset(["elasticache:Connect"]), resources = toset(var.private_cache.connect_arns), conditions = tomap({}) }
  }

  cache_network = var.private_cache == null ? null : {
    subnet_ids         = var.private_cache.subnet_ids
    security_group_ids = var.private_cache.security_group_ids
  }

  http = {
    for key, entry in local.entries : key => {
      route_keys    = toset(entry.routes)
      authorization = entry.authorization
    } if can(entry.routes)
  }
}

# Where no release process has uploaded the zips. From S3 functions are made side by side; from local files the provider
# makes one after another. The key holds the hash of the content, so nothing is ever overwritten.
resource "aws_s3_object" "artifact" {
  for_each = { for key in keys(local.functions) : key => local.manifest.functions[key] if var.upload_artifacts }

  bucket = var.artifacts_bucket
  key    = each.value.s3Key
  source = each.value.file

  # The local cloud does not keep an object's tags; an artifact needs none.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}

module "function" {
  source   = "../lambda-function"
  for_each = { for key, function in local.functions : key => function if contains(keys(local.entries), key) }

  name         = "${var.name_prefix}-${each.key}"
  description  = each.value.description
  architecture = local.manifest.arch
  runtime      = each.value.runtime
  handler      = each.value.handler

  artifact = {
    sha256    = local.manifest.functions[each.key].sha256
    s3_bucket = var.artifacts_bucket
    s3_key    = try(aws_s3_object.artifact[each.key].key, local.manifest.functions[each.key].s3Key)
  }

  memory_size_mb       = each.value.memory_size_mb
  timeout_seconds      = each.value.timeout_seconds
  reserved_concurrency = lookup(var.reserved_concurrency, each.key, each.value.reserved_concurrency)

  environment = merge(
    {
      FUNCTION_KEY = each.key
      HOLDFAST_ENV = var.env
      LOG_LEVEL    = var.log_level
    },
    contains(keys(local.http), each.key) ? var.http_environment : {},
    each.value.environment,
  )

  permissions    = merge(each.value.permissions, contains(local.in_cache_network, each.key) ? local.cache_permission : {})
  queue_sources  = each.value.queue_sources
  stream_sources = each.value.stream_sources
  vpc            = contains(local.in_cache_network, each.key) ? local.cache_network : each.value.vpc

  # A level below INFO passes Lambda's own filter, too. A level above it must not be set there: embedded metrics count as INFO.
  application_log_level = contains(["debug", "trace"], var.log_level) ? upper(var.log_level) : "INFO"
  # Lambda's lines about the start and the end of each invocation cost more than a short invocation, and say what its metrics say.
  system_log_level       = contains(["debug", "trace"], var.log_level) ? "INFO" : "WARN"
  recursive_loop_allowed = each.value.recursive_loop_allowed

  alias_owner              = var.alias_owner
  tracing_enabled          = var.tracing_enabled
  code_signing_config_arn  = var.code_signing_config_arn
  log_retention_days       = var.log_retention_days
  kms_key_arn              = var.kms_key_arn
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = var.tags
}

module "route" {
  source   = "../http-route"
  for_each = { for key, http in local.http : key => http if contains(keys(local.functions), key) }

  api_id             = var.http_api.id
  api_execution_arn  = var.http_api.execution_arn
  route_keys         = each.value.route_keys
  authorization      = each.value.authorization
  authorizer_id      = each.value.authorization == "CUSTOM" ? var.http_api.authorizer_id : null
  function_name      = module.function[each.key].name
  function_qualifier = module.function[each.key].qualifier
  invoke_arn         = module.function[each.key].invoke_arn
}
