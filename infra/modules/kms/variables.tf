variable "create" {
  description = "Whether to create the key."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the key (alias/<name>)."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,100}$", join("-", compact([var.name_prefix, var.name])))) && !startswith(join("-", compact([var.name_prefix, var.name])), "aws")
    error_message = "name (after name_prefix) must have 1 to 100 characters out of a-z, A-Z, 0-9, '_' and '-', and must not start with aws."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "description" {
  description = "Purpose of the key, in one line; null for data at rest."
  type        = string
  default     = null

  validation {
    condition     = var.description == null ? true : length(var.description) >= 1 && length(var.description) <= 1024
    error_message = "description must have 1 to 1024 characters, or be null."
  }
}

variable "users" {
  description = "The only principals that may encrypt and decrypt with the key, and the keys of the encryption context that each call must have (all of them, and no other). The account's root and administrators then manage the key and cannot use it. Null: every role of the account may use the key that its own policy allows, and so may CloudWatch, EventBridge and SNS."
  type = object({
    principal_arns              = set(string)
    encryption_context_keys     = optional(set(string), [])
    encryption_context_required = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.users == null ? true : length(var.users.principal_arns) > 0 && alltrue([for arn in var.users.principal_arns : can(regex("^arn:[a-z-]+:(iam|sts)::[0-9]{12}:(role|assumed-role)/[^*]+(/\\*)?$", arn))])
    error_message = "users.principal_arns must be ARNs of roles, at least one."
  }

  validation {
    condition     = var.users == null ? true : alltrue([for key in var.users.encryption_context_keys : can(regex("^[A-Za-z][A-Za-z0-9_-]{0,127}$", key))])
    error_message = "users.encryption_context_keys must be names of letters, digits, '_' and '-' that start with a letter."
  }
}

variable "rotation_period_days" {
  description = "Period of the rotation of the key's material (90 to 2560)."
  type        = number
  default     = 365

  validation {
    condition     = var.rotation_period_days >= 90 && var.rotation_period_days <= 2560
    error_message = "rotation_period_days must be 90 to 2560."
  }
}

variable "deletion_window_days" {
  description = "Time in which a deleted key can be restored (7 to 30). After it, the data that the key encrypted is lost."
  type        = number
  default     = 30

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "deletion_window_days must be 7 to 30."
  }
}

variable "tags" {
  description = "Tags of the key."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
