# What every stack takes and derives: the same file in each of them (checked by test.sh).

variable "env" {
  description = "Name of the environment: local, staging, production, or your own."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.env))
    error_message = "env must have 1 to 20 characters: a-z, 0-9 and '-', starting with a letter."
  }
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

variable "name_prefix" {
  description = "Prefix of all names; null for holdfast-<env>."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null ? true : can(regex("^[a-z][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "name_prefix must have 1 to 40 characters: a-z, 0-9 and '-', starting with a letter."
  }
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

variable "release_manifest" {
  description = "Path of the release manifest (JSON) that the build writes."
  type        = string
}

variable "artifacts_bucket" {
  description = "Bucket that holds the functions' zips, filled by the release process; empty only on the local cloud, where the stack platform creates one."
  type        = string
  default     = ""

  validation {
    condition     = var.artifacts_bucket != "" || var.local_endpoint != ""
    error_message = "artifacts_bucket must be given on AWS (make bootstrap creates it)."
  }
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

variable "alias_owner" {
  description = "Owner of the functions' alias `live` on AWS: terraform (moves it at once, when a version is published) or deployer (`make deploy` shifts it by a canary). The local cloud does not route by weights and has none."
  type        = string
  default     = "terraform"

  validation {
    condition     = contains(["none", "terraform", "deployer"], var.alias_owner)
    error_message = "alias_owner must be none, terraform or deployer."
  }
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

  validation {
    condition     = var.runbooks_url == null ? true : can(regex("^https://[^ ]+[^ /]$", var.runbooks_url))
    error_message = "runbooks_url must be an https address without a slash at the end."
  }
}

variable "reserved_concurrency" {
  description = "Executions reserved for single functions, by key, such as { sessions-current = 200, auth-refresh = 50 }. No other function can take them, and the function gets no more. A limit on auth-login keeps a flood of sign-ins from taking the account's executions. AWS requires that 100 of the account's executions stay unreserved."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for number in values(var.reserved_concurrency) : number >= 1 && floor(number) == number])
    error_message = "reserved_concurrency must be whole numbers, 1 or more."
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

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

# Looked at, so that a plan says that it is missing and nothing is changed half-way.
data "aws_iam_policy" "boundary" {
  for_each = var.permissions_boundary ? { this = true } : {}

  arn = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:policy/${local.name_prefix}-boundary"
}

locals {
  is_local       = var.local_endpoint != ""
  name_prefix    = coalesce(var.name_prefix, "holdfast-${var.env}")
  alias_owner    = local.is_local ? "none" : var.alias_owner
  catalogue_file = "${path.module}/../../../services/functions.json"
  ssm_prefix     = "/holdfast/${var.env}"
  runbooks       = coalesce(var.runbooks_url, "docs/runbooks")

  permissions_boundary_arn = one([for policy in data.aws_iam_policy.boundary : policy.arn])

  # Without a bucket that the release process fills, Terraform makes one and uploads the zips itself.
  own_artifacts    = var.artifacts_bucket == ""
  artifacts_bucket = local.own_artifacts ? "${local.name_prefix}-artifacts" : var.artifacts_bucket

  # Fixes an API's id (8 hexadecimal digits) in the local cloud, so that addresses stay the same; nothing on AWS.
  local_api_id = { for kind in ["http", "ws"] : kind => substr(sha256("${local.name_prefix}-${kind}"), 0, 8) }
  api_tags     = { for kind in ["http", "ws"] : kind => local.is_local ? { ms-custom-id = local.local_api_id[kind] } : {} }
}
