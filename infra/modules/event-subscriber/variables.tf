variable "create" {
  description = "Whether to create the subscription."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the subscription: of its rule, and with -dlq of its dead-letter queue."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,64}$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 1 to 64 characters out of a-z, A-Z, 0-9, '_' and '-'."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "description" {
  description = "Purpose of the subscriber, in one line."
  type        = string
  default     = ""

  validation {
    condition     = length(var.description) <= 512
    error_message = "description must have at most 512 characters."
  }
}

variable "event_bus_name" {
  description = "Name of the bus."
  type        = string

  validation {
    condition     = can(regex("^[/._A-Za-z0-9-]{1,256}$", var.event_bus_name))
    error_message = "event_bus_name must have 1 to 256 characters out of a-z, A-Z, 0-9, '/', '.', '_' and '-'."
  }
}

variable "sources" {
  description = "Sources whose events are wanted (holdfast.auth); empty for all."
  type        = set(string)
  default     = []

  validation {
    condition     = length(var.sources) + length(var.detail_types) > 0
    error_message = "sources or detail_types must not be empty: a rule needs a pattern."
  }
}

variable "detail_types" {
  description = "Types of the events that are wanted (SESSION_REVOKED); empty for all."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for type in var.detail_types : length(type) >= 1 && length(type) <= 128])
    error_message = "detail_types must have 1 to 128 characters each."
  }
}

variable "target" {
  description = "ARN of the function (or alias) or queue; for a function also its name (and alias), so that the rule may call it."
  type = object({
    arn                = string
    function_name      = optional(string)
    function_qualifier = optional(string)
  })

  validation {
    condition     = strcontains(var.target.arn, ":lambda:") == (var.target.function_name != null)
    error_message = "target.function_name must be given for a function, and only for a function."
  }
}

variable "enabled" {
  description = "Whether events are delivered."
  type        = bool
  default     = true
}

variable "maximum_event_age_seconds" {
  description = "Time for which delivery is retried (60 to 86400)."
  type        = number
  default     = 86400

  validation {
    condition     = var.maximum_event_age_seconds >= 60 && var.maximum_event_age_seconds <= 86400
    error_message = "maximum_event_age_seconds must be 60 to 86400."
  }
}

variable "maximum_retry_attempts" {
  description = "Number of retries of a delivery (0 to 185)."
  type        = number
  default     = 185

  validation {
    condition     = var.maximum_retry_attempts >= 0 && var.maximum_retry_attempts <= 185
    error_message = "maximum_retry_attempts must be 0 to 185."
  }
}

variable "deny_insecure_transport" {
  description = "Whether the dead-letter queue's policy refuses requests without TLS."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key of the dead-letter queue; null for the key that SQS owns."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias), or null."
  }
}

variable "tags" {
  description = "Tags of all resources that support them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}

variable "function_retry_attempts" {
  description = "Number of retries of a failed function with the same event (0 to 2)."
  type        = number
  default     = 2

  validation {
    condition     = contains([0, 1, 2], var.function_retry_attempts)
    error_message = "function_retry_attempts must be 0, 1 or 2."
  }
}
