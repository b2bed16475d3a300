variable "create" {
  description = "Whether to create the dashboard."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the dashboard."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,255}$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 1 to 255 characters out of a-z, A-Z, 0-9, '_' and '-'."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "functions" {
  description = "Names of the functions to show, by label."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.functions) + length(var.queues) + length(var.dead_letter_queues) + length(var.metrics) > 0
    error_message = "functions, queues, dead_letter_queues or metrics must not be empty: there is nothing to show."
  }
}

variable "queues" {
  description = "Names of the queues whose oldest message is shown, by label."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in values(var.queues) : can(regex("^[a-zA-Z0-9_-]{1,80}(\\.fifo)?$", name))])
    error_message = "queues must be names of queues, not addresses or ARNs."
  }
}

variable "dead_letter_queues" {
  description = "Names of the dead-letter queues to show, by label."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in values(var.dead_letter_queues) : can(regex("^[a-zA-Z0-9_-]{1,80}(\\.fifo)?$", name))])
    error_message = "dead_letter_queues must be names of queues, not addresses or ARNs."
  }
}

variable "metrics" {
  description = "Further widgets, in this order: title, statistic, and lines of namespace, name, dimensions and label."
  type = list(object({
    title = string
    stat  = optional(string, "Sum")
    lines = list(object({
      namespace  = string
      name       = string
      dimensions = optional(map(string), {})
      label      = string
    }))
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for widget in var.metrics : length(widget.lines) > 0])
    error_message = "metrics.lines must not be empty: there is nothing to show."
  }
}

variable "period_seconds" {
  description = "Length of one datapoint; a multiple of 60."
  type        = number
  default     = 60

  validation {
    condition     = var.period_seconds >= 60 && var.period_seconds % 60 == 0
    error_message = "period_seconds must be a multiple of 60."
  }
}
