variable "create" {
  description = "Whether to create the budget."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the budget."
  type        = string

  validation {
    condition     = can(regex("^[^:\\\\]{1,100}$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 1 to 100 characters, without ':' and '\\'."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "account_id" {
  description = "Account of the budget; null for the provider's own (which it must then be allowed to look up)."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null ? true : can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits, or null."
  }
}

variable "monthly_limit_usd" {
  description = "Limit of the costs of a month, in US dollars."
  type        = number

  validation {
    condition     = !var.create || var.monthly_limit_usd > 0
    error_message = "monthly_limit_usd must be more than 0."
  }
}

variable "notify_at_percent" {
  description = "Shares of the limit, in percent, at which a notification is sent. A forecast above the limit always sends one."
  type        = set(number)
  default     = [50, 80, 100]

  validation {
    condition     = length(var.notify_at_percent) <= 4 && alltrue([for percent in var.notify_at_percent : percent > 0 && percent <= 1000])
    error_message = "notify_at_percent must be at most 4 numbers, each more than 0 and at most 1000."
  }
}

variable "email_addresses" {
  description = "E-mail addresses that are notified (at most 10)."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.email_addresses) <= 10 && alltrue([for address in var.email_addresses : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "email_addresses must be at most 10 e-mail addresses."
  }

  validation {
    condition     = !var.create || length(var.email_addresses) + length(var.sns_topic_arns) > 0
    error_message = "email_addresses or sns_topic_arns must not be empty, because a budget without receivers has no effect."
  }
}

variable "sns_topic_arns" {
  description = "SNS topics that are notified (at most 1 per notification)."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.sns_topic_arns) <= 1
    error_message = "sns_topic_arns must be at most one topic."
  }
}

variable "cost_allocation_tags" {
  description = "Count only resources with these tags (activated as cost allocation tags); empty for the whole account."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.cost_allocation_tags) : can(regex("^[^$]{1,128}$", key))])
    error_message = "cost_allocation_tags must have names of 1 to 128 characters without '$'."
  }
}

variable "tags" {
  description = "Tags of the budget."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
