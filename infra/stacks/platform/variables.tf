variable "http_throttling" {
  description = "Requests a second of an HTTP route that has no limits of its own, and the burst above them. Null for 40 % of account_requests_per_second, which is what posts to sockets leave, and half of that as the burst."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
  default = null

  validation {
    condition     = var.http_throttling == null ? true : var.http_throttling.rate_limit > 0 && var.http_throttling.burst_limit > 0
    error_message = "http_throttling must have a rate_limit and a burst_limit of more than 0, or be null: API Gateway answers 429 to everything at 0."
  }
}

variable "route_throttles" {
  description = "Requests a second, and the burst above them, of single routes, by route key. They replace the default limits: a part of account_requests_per_second for each public route, and http_throttling for validation and refresh."
  type = map(object({
    rate_limit  = number
    burst_limit = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.route_throttles), flatten([for entry in values(jsondecode(file("${path.module}/../../../services/functions.json"))) : try(entry.routes, [])]))) == 0
    error_message = "route_throttles must name routes of services/functions.json, such as \"POST /v1/auth/login\"."
  }
}

variable "table_names" {
  description = "Names of tables that were restored from a backup under another name, such as { sessions = \"holdfast-staging-sessions-2\" }; null for `<name_prefix>-<table>`. Each starts with name_prefix, or no role reaches the table. Terraform must have imported the table first (docs/operating.md)."
  type = object({
    sessions    = optional(string)
    connections = optional(string)
    activity    = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in values(var.table_names) : name == null ? true : startswith(name, "${coalesce(var.name_prefix, "holdfast-${var.env}")}-")])
    error_message = "table_names must start with name_prefix and '-': the permissions of deploys and functions are limited to such names."
  }
}

variable "health_details" {
  description = "Callers that see version, dependencies and latencies in the health check: everyone or iam. With iam, only callers that may invoke the function ops-health see them, and the route shows only whether the system is up."
  type        = string
  default     = "iam"

  validation {
    condition     = contains(["everyone", "iam"], var.health_details)
    error_message = "health_details must be everyone or iam."
  }
}

variable "kms_mode" {
  description = "Owner of the key for data at rest: aws_owned (no cost) or cmk (a key of this environment, for all its data). A later change re-encrypts tables, queues and logs."
  type        = string
  default     = "aws_owned"

  validation {
    condition     = contains(["aws_owned", "cmk"], var.kms_mode)
    error_message = "kms_mode must be aws_owned or cmk."
  }
}

variable "service_dashboards_enabled" {
  description = "Whether each service has its own dashboard besides that of the system. An account's first three dashboards are free, and each further one costs 3 USD a month."
  type        = bool
  default     = true
}
