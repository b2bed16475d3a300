# Written by `scripts/holdfast declarations` from infra/declarations.hcl. Change that file, and run the command again.

terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.96, < 7"
    }
  }

  # Filled in by environments/<env>.s3.tfbackend and the key of the stack; a local file for the local environment.
  backend "s3" {}
}

# With local_endpoint set, no request can reach AWS: the endpoints are given here, and the credentials are the emulator's.
provider "aws" {
  region              = var.region
  allowed_account_ids = var.local_endpoint != "" || length(var.allowed_account_ids) == 0 ? null : var.allowed_account_ids

  access_key                  = var.local_endpoint != "" ? "test" : null
  secret_key                  = var.local_endpoint != "" ? "test" : null
  skip_credentials_validation = var.local_endpoint != ""
  skip_metadata_api_check     = var.local_endpoint != ""
  # Asked for in the local cloud, too: execution ARNs are made of it, and a wrong one denies what it should allow.
  skip_requesting_account_id = false
  s3_use_path_style          = var.local_endpoint != ""

  dynamic "endpoints" {
    for_each = var.local_endpoint != "" ? [var.local_endpoint] : []
    content {
      apigateway     = endpoints.value
      apigatewayv2   = endpoints.value
      budgets        = endpoints.value
      cloudwatch     = endpoints.value
      cloudwatchlogs = endpoints.value
      dynamodb       = endpoints.value
      ec2            = endpoints.value
      elasticache    = endpoints.value
      eventbridge    = endpoints.value
      iam            = endpoints.value
      kms            = endpoints.value
      lambda         = endpoints.value
      s3             = endpoints.value
      sns            = endpoints.value
      sqs            = endpoints.value
      ssm            = endpoints.value
      sts            = endpoints.value
    }
  }

  default_tags {
    tags = module.context.tags
  }
}

locals {
  stack = "events"
}

locals {
  catalogue_file = "${path.module}/../../../services/functions.json"
}

variable "env" {
  description = "Name of the environment: local, staging, production, or your own."
  type        = string
}

variable "name_prefix" {
  description = "Prefix of all names; null for holdfast-<env>."
  type        = string
  default     = null
}

variable "local_endpoint" {
  description = "Address of the local cloud (http://127.0.0.1:<port>); empty on AWS. All behaviour of the local environment alone depends on it."
  type        = string
  default     = ""

  validation {
    condition     = var.local_endpoint == "" || can(regex("^http://(127\\.0\\.0\\.1|localhost):[0-9]+$", var.local_endpoint))
    error_message = "local_endpoint must be empty, or http://127.0.0.1:<port> without a slash at the end."
  }
}

variable "alias_owner" {
  description = "Owner of the functions' alias `live` on AWS: terraform (moves it at once, when a version is published) or deployer (`make deploy` shifts it by a canary). The local cloud does not route by weights and has none."
  type        = string
  default     = "terraform"
}

variable "artifacts_bucket" {
  description = "Bucket that holds the functions' zips, filled by the release process; empty only on the local cloud, where the stack platform creates one."
  type        = string
  default     = ""
}

variable "permissions_boundary" {
  description = "Whether roles get the boundary `<name_prefix>-boundary` that make bootstrap creates. A pipeline may create no role without it. It is off only without a bootstrap, on the local cloud."
  type        = bool
  default     = true
}

variable "runbooks_url" {
  description = "Address of docs/runbooks, without a slash at the end; alarms link to it. Null for the path in the repository."
  type        = string
  default     = null
}

variable "cache_provider" {
  description = "Cache of validated sessions: dynamodb (no cache, no network) or redis (on AWS, ElastiCache in a private network; docs/cache-switching.md)."
  type        = string
  default     = "dynamodb"
}

variable "local_redis_url" {
  description = "Address of the local redis-server (redis://127.0.0.1:<port>/0); empty on AWS."
  type        = string
  default     = ""
}

variable "redis_delete_only" {
  description = "Whether functions delete from the cache but neither read nor fill it, with cache_provider redis. It is the step between the two providers, in both directions."
  type        = bool
  default     = false
}

module "context" {
  source = "../../modules/stack-context"

  stack          = local.stack
  env            = var.env
  name_prefix    = var.name_prefix
  local_endpoint = var.local_endpoint

  inputs = local.inputs

  alias_owner          = var.alias_owner
  artifacts_bucket     = var.artifacts_bucket
  catalogue_file       = local.catalogue_file
  permissions_boundary = var.permissions_boundary
  runbooks_url         = var.runbooks_url

  cache_provider    = var.cache_provider
  local_redis_url   = var.local_redis_url
  redis_delete_only = var.redis_delete_only
}

variable "region" {
  description = "AWS Region."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS Region such as eu-central-1."
  }
}

variable "allowed_account_ids" {
  description = "AWS accounts that this environment may be deployed to; empty for any. It protects against the wrong credentials."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.allowed_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "allowed_account_ids must be account ids of 12 digits."
  }
}

variable "release_manifest" {
  description = "Path of the release manifest (JSON) that the build writes."
  type        = string
}

variable "log_level" {
  description = "Log level of the functions: error, warn, info, debug or trace."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["error", "warn", "info", "debug", "trace"], var.log_level)
    error_message = "log_level must be error, warn, info, debug or trace."
  }
}

variable "log_retention_days" {
  description = "Retention of the logs; one of the values that CloudWatch allows."
  type        = number
  default     = 30
}

variable "reserved_concurrency" {
  description = "Executions reserved for single functions, by key, such as { sessions-current = 200, auth-refresh = 50 }. No other function can take them, and the function gets no more. A limit on auth-login keeps a flood of sign-ins from taking the account's executions. AWS requires that 100 of the account's executions stay unreserved. 0 pauses a function (docs/operating.md)."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for number in values(var.reserved_concurrency) : number >= 0 && floor(number) == number])
    error_message = "reserved_concurrency must be whole numbers, 0 (the function does not run) or more."
  }

  validation {
    condition     = length(setsubtract(keys(var.reserved_concurrency), keys(jsondecode(file("${path.module}/../../../services/functions.json"))))) == 0
    error_message = "reserved_concurrency must name functions of services/functions.json."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that alarms are sent to."
  type        = list(string)
  default     = []
}

variable "deletion_protection_enabled" {
  description = "Whether DynamoDB refuses to delete the stack's tables."
  type        = bool
  default     = true
}

variable "point_in_time_recovery_enabled" {
  description = "Whether the stack's tables can be restored to any second of the last 35 days."
  type        = bool
  default     = true
}

variable "table_capacity" {
  description = "Tables with provisioned capacity that auto scaling adjusts, such as { sessions = { read = { min = 20, max = 400 }, write = { min = 10, max = 200 } } }. A table that is not named is on demand. An existing table is switched first (docs/deploying.md). The role deploy of bootstrap may scale tables if one is named."
  type = map(object({
    read = object({
      min = number
      max = number
    })
    write = object({
      min = number
      max = number
    })
    target_utilization = optional(number, 70)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.table_capacity), ["activity", "connections", "sessions"])) == 0
    error_message = "table_capacity must name the tables sessions, connections or activity."
  }

  validation {
    condition     = length(var.table_capacity) == 0 || var.local_endpoint == ""
    error_message = "table_capacity must be empty on the local cloud, which has no auto scaling."
  }
}

# Values cross stacks only this way, never by reading another stack's state.
resource "aws_ssm_parameter" "output" {
  #checkov:skip=CKV2_AWS_34:The parameters are names and ARNs that other stacks read while planning; no secret is a parameter

  for_each = local.outputs

  name  = "${module.context.ssm_prefix}/${local.stack}/${each.key}"
  type  = "String"
  value = each.value
}

# These rows hold every value that this stack sets, passes to another or monitors, as the resources have it. tests/settings.json lists the
# expected value of each row in each environment. Each stack adds its own rows as `own_settings`.
locals {
  # Every function has these alarms. The threshold of its duration is a row of the function itself.
  function_alarms = { for name in ["errors", "throttles", "duration"] : name => {
    for key, function in module.service.functions : key => module.alarms.settings["${key}-${name}"] if can(module.alarms.settings["${key}-${name}"])
  } }
  duration_thresholds = { for key, alarm in local.function_alarms.duration : key => regex("Threshold ([0-9.]+),", alarm)[0] }

  own_alarms = { for name, alarm in module.alarms.settings : name => alarm if !contains(flatten([
    for key in keys(module.service.functions) : ["${key}-errors", "${key}-throttles", "${key}-duration"]
  ]), name) }

  # Of what all functions have alike, the list of values that there are: one, where they are alike.
  alike = setsubtract(flatten([for function in values(module.service.settings) : keys(function)]), ["memory_mb", "reserved_concurrency", "timeout_seconds"])

  settings_by_part = merge(local.own_settings, {
    alarm  = local.own_alarms
    alarms = { runbooks = distinct([for description in values(module.alarms.descriptions) : try(regex("What to do: (.*)/[a-z-]+[.]md$", description)[0], "none")]) }
    "alarms of functions" = { for name, alarms in local.function_alarms : name => distinct([
      for key, alarm in alarms : replace(replace(alarm, module.service.function_names[key], "[name]"), "Threshold ${local.duration_thresholds[key]},", name == "duration" ? "Threshold [threshold]," : "Threshold ${local.duration_thresholds[key]},")
    ]) }
    function = { for key, function in module.service.settings : key => merge(
      { for name in ["memory_mb", "reserved_concurrency", "timeout_seconds"] : name => function[name] },
      { alarm_above_ms = lookup(local.duration_thresholds, key, null) },
    ) }
    functions  = { for name in local.alike : name => distinct([for function in values(module.service.settings) : function[name]]) }
    "rollback" = { "any of" = module.alarms.rollback_rule }
    route      = module.service.routes
    variable = { for name in distinct(flatten([for environment in values(module.service.environment) : keys(environment)])) : name => sort(distinct([
      for environment in values(module.service.environment) : environment[name] if can(environment[name])
    ])) if name != "FUNCTION_KEY" }
    }, {
    for pair in flatten([for key, sources in module.service.sources : [for source, settings in sources : { name = "source ${source} of ${key}", settings = settings }]]) : pair.name => pair.settings
  })

  settings = merge([for part, settings in local.settings_by_part : { for name, setting in settings : "${part}: ${name}" => jsonencode(setting) }]...)
}
