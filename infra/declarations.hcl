# This file lists the declarations that Terraform requires in every stack. `scripts/holdfast declarations` writes each stack's
# declarations.tf from it, and copies the lock file of `platform` to the others. infra/test.sh fails if they are not current.
#
# * `# Stacks: …` above a block, or above a paragraph of the call of `context`, names the stacks that get it. Without it, all stacks get it.
# * An argument `x = var.x` of that call also declares the variable x, as modules/stack-context declares it. The validations of that module check it.
# * `<stack>` is the stack's name.
#
# A variable of one stack alone is in that stack's variables.tf.

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
  stack = "<stack>"
}

# Stacks: auth, events, platform, push, sessions
locals {
  catalogue_file = "${path.module}/../../../services/functions.json"
}

module "context" {
  source = "../../modules/stack-context"

  stack          = local.stack
  env            = var.env
  name_prefix    = var.name_prefix
  local_endpoint = var.local_endpoint

  # Stacks: bootstrap
  artifacts_bucket     = local.artifacts_bucket
  permissions_boundary = false # This stack creates the boundary.

  # Stacks: auth, events, push, sessions
  inputs = local.inputs

  # Stacks: auth, events, platform, push, sessions
  alias_owner          = var.alias_owner
  artifacts_bucket     = var.artifacts_bucket
  catalogue_file       = local.catalogue_file
  permissions_boundary = var.permissions_boundary
  runbooks_url         = var.runbooks_url

  # Stacks: auth, platform, push, sessions
  allowed_origins      = var.allowed_origins
  origin_secret_sha256 = var.origin_secret_sha256
  trusted_proxy        = var.trusted_proxy

  # Stacks: auth, events, platform, sessions
  cache_provider    = var.cache_provider
  local_redis_url   = var.local_redis_url
  redis_delete_only = var.redis_delete_only

  # Stacks: platform
  published_cache = local.cache

  # Stacks: auth, push, sessions
  max_sessions_per_user = var.max_sessions_per_user

  # Stacks: auth, sessions
  access_token_ttl_seconds        = var.access_token_ttl_seconds
  cache_max_age_seconds           = var.cache_max_age_seconds
  refresh_grace_seconds           = var.refresh_grace_seconds
  session_absolute_seconds        = var.session_absolute_seconds
  session_idle_seconds            = var.session_idle_seconds
  stay_signed_in_absolute_seconds = var.stay_signed_in_absolute_seconds
  stay_signed_in_idle_seconds     = var.stay_signed_in_idle_seconds
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

# Stacks: auth, events, platform, push, sessions
variable "release_manifest" {
  description = "Path of the release manifest (JSON) that the build writes."
  type        = string
}

# Stacks: auth, events, platform, push, sessions
variable "log_level" {
  description = "Log level of the functions: error, warn, info, debug or trace."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["error", "warn", "info", "debug", "trace"], var.log_level)
    error_message = "log_level must be error, warn, info, debug or trace."
  }
}

# Stacks: auth, events, platform, push, sessions
variable "log_retention_days" {
  description = "Retention of the logs; one of the values that CloudWatch allows."
  type        = number
  default     = 30
}

# Stacks: auth, events, platform, push, sessions
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

# Stacks: auth, events, platform, push, sessions
variable "alarm_topic_arns" {
  description = "SNS topics that alarms are sent to."
  type        = list(string)
  default     = []
}

# Stacks: auth, sessions
variable "max_login_attempts" {
  description = "Failed passwords per account from one network in 900 s (ten times that per account, twenty times per network)."
  type        = number
  default     = 5

  validation {
    condition     = var.max_login_attempts >= 1 && var.max_login_attempts <= 1000000 && floor(var.max_login_attempts) == var.max_login_attempts
    error_message = "max_login_attempts must be a whole number from 1 to 1000000."
  }
}

# Stacks: auth, sessions
variable "max_mfa_attempts" {
  description = "Distinct codes per MFA session; twice that per account in 900 s."
  type        = number
  default     = 5

  validation {
    condition     = var.max_mfa_attempts >= 1 && var.max_mfa_attempts <= 10 && floor(var.max_mfa_attempts) == var.max_mfa_attempts
    error_message = "max_mfa_attempts must be a whole number from 1 to 10."
  }
}

# Stacks: auth, sessions
variable "device_trust_seconds" {
  description = "Time for which a trusted device replaces the second factor."
  type        = number
  default     = 2592000

  validation {
    condition     = var.device_trust_seconds >= 1 && var.device_trust_seconds <= 31536000 && floor(var.device_trust_seconds) == var.device_trust_seconds
    error_message = "device_trust_seconds must be a whole number from 1 to 31536000 (a year)."
  }
}

# Stacks: platform, push
variable "account_requests_per_second" {
  description = "Requests a second that the account grants in this Region, HTTP, WebSocket and @connections together (API Gateway quotas: 10000, in newer Regions 2500). The limits of anonymous routes follow from it."
  type        = number
  default     = 10000

  validation {
    condition     = var.account_requests_per_second >= 100 && var.account_requests_per_second <= 1000000 && floor(var.account_requests_per_second) == var.account_requests_per_second
    error_message = "account_requests_per_second must be a whole number from 100 to 1000000."
  }
}

# Stacks: events, platform
variable "deletion_protection_enabled" {
  description = "Whether DynamoDB refuses to delete the stack's tables."
  type        = bool
  default     = true
}

# Stacks: events, platform
variable "point_in_time_recovery_enabled" {
  description = "Whether the stack's tables can be restored to any second of the last 35 days."
  type        = bool
  default     = true
}

# Stacks: bootstrap, events, platform
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

# Stacks: bootstrap, push
variable "topic_policy" {
  description = "Access to topics: comma-separated public prefixes, or the ARN of a function that decides; empty to deny all. The boundary of bootstrap allows push to call a function that it names, although its name does not start with name_prefix."
  type        = string
  default     = ""

  validation {
    condition     = startswith(var.topic_policy, "arn:") ? can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?$", var.topic_policy)) : can(regex("^[^*\\s]*$", var.topic_policy))
    error_message = "topic_policy must be empty, prefixes with commas and without spaces or '*', or the ARN of one function."
  }
}

# Stacks: bootstrap, push
variable "presence_policy" {
  description = "Users whose presence a user may request: self (only the own), everyone, or the ARN of a function that decides. The boundary of bootstrap allows push to call a function that it names, although its name does not start with name_prefix."
  type        = string
  default     = "self"

  validation {
    condition     = contains(["self", "everyone"], var.presence_policy) || can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?$", var.presence_policy))
    error_message = "presence_policy must be self, everyone, or the ARN of one function."
  }
}

# Stacks: auth, platform, push, sessions
# The routes of this stack that exist. API Gateway refuses limits for a route that does not exist, so the stack platform, which owns the
# stage, sets limits only for the routes that it finds here.
resource "aws_ssm_parameter" "routes" {
  #checkov:skip=CKV2_AWS_34:The parameters are names of routes that the stack platform reads while planning; no secret is a parameter

  # The local cloud does not throttle.
  for_each = module.context.is_local ? {} : { this = true }

  name  = "${module.context.ssm_prefix}/routes/${local.stack}"
  type  = "String"
  value = join(",", module.context.routes)

  depends_on = [module.service]
}

# Stacks: events, platform, push
# Values cross stacks only this way, never by reading another stack's state.
resource "aws_ssm_parameter" "output" {
  #checkov:skip=CKV2_AWS_34:The parameters are names and ARNs that other stacks read while planning; no secret is a parameter

  for_each = local.outputs

  name  = "${module.context.ssm_prefix}/${local.stack}/${each.key}"
  type  = "String"
  value = each.value
}

# Stacks: auth, events, platform, push, sessions
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
