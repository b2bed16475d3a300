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
  stack = "bootstrap"
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

module "context" {
  source = "../../modules/stack-context"

  stack          = local.stack
  env            = var.env
  name_prefix    = var.name_prefix
  local_endpoint = var.local_endpoint

  artifacts_bucket     = local.artifacts_bucket
  permissions_boundary = false # This stack creates the boundary.
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

variable "topic_policy" {
  description = "Access to topics: comma-separated public prefixes, or the ARN of a function that decides; empty to deny all. The boundary of bootstrap allows push to call a function that it names, although its name does not start with name_prefix."
  type        = string
  default     = ""

  validation {
    condition     = startswith(var.topic_policy, "arn:") ? can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?$", var.topic_policy)) : can(regex("^[^*\\s]*$", var.topic_policy))
    error_message = "topic_policy must be empty, prefixes with commas and without spaces or '*', or the ARN of one function."
  }
}

variable "presence_policy" {
  description = "Users whose presence a user may request: self (only the own), everyone, or the ARN of a function that decides. The boundary of bootstrap allows push to call a function that it names, although its name does not start with name_prefix."
  type        = string
  default     = "self"

  validation {
    condition     = contains(["self", "everyone"], var.presence_policy) || can(regex("^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?$", var.presence_policy))
    error_message = "presence_policy must be self, everyone, or the ARN of one function."
  }
}
