variable "http_throttling" {
  description = "Requests a second of an HTTP route that has no limits of its own, and the burst above them."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
  default = {
    rate_limit  = 1000
    burst_limit = 500
  }
}

variable "account_requests_per_second" {
  description = "Requests a second that the account grants in this Region, HTTP, WebSocket and @connections together (API Gateway quotas: 10000, in newer Regions 2500). The limits of anonymous routes follow from it."
  type        = number
  default     = 10000

  validation {
    condition     = var.account_requests_per_second >= 100 && var.account_requests_per_second <= 1000000 && floor(var.account_requests_per_second) == var.account_requests_per_second
    error_message = "account_requests_per_second must be a whole number from 100 to 1000000."
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

variable "health_details" {
  description = "Callers that see version, dependencies and latencies in the health check: everyone or iam. With iam, only callers that may invoke the function ops-health see them, and the route shows only whether the system is up."
  type        = string
  default     = "iam"

  validation {
    condition     = contains(["everyone", "iam"], var.health_details)
    error_message = "health_details must be everyone or iam."
  }
}

variable "deletion_protection_enabled" {
  description = "Whether DynamoDB refuses to delete the tables."
  type        = bool
  default     = true
}

variable "point_in_time_recovery_enabled" {
  description = "Whether the tables can be restored to any second of the last 35 days."
  type        = bool
  default     = true
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
