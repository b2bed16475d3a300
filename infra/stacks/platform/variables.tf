variable "allowed_origins" {
  description = "Origins (https://app.example.com) whose pages may call the API; empty for none."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.allowed_origins : can(regex("^https?://[^/ ,*]+$", origin))])
    error_message = "allowed_origins must be origins such as https://app.example.com: scheme, host and port, no path, no '*'."
  }
}

variable "http_throttling" {
  description = "Requests a second over all HTTP routes, and the burst above them."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
  default = {
    rate_limit  = 1000
    burst_limit = 500
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
  description = "Who owns the key for data at rest: aws_owned (no cost) or cmk (a key of this environment, for everything in it). Changing it later re-encrypts tables, queues and logs."
  type        = string
  default     = "aws_owned"

  validation {
    condition     = contains(["aws_owned", "cmk"], var.kms_mode)
    error_message = "kms_mode must be aws_owned or cmk."
  }
}

variable "service_dashboards_enabled" {
  description = "Whether each service has a dashboard of its own besides the system's. An account's first three dashboards are free, each further one costs 3 USD a month."
  type        = bool
  default     = true
}
