variable "create" {
  description = "Whether to create the bus."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the bus (also of its archive)."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{1,48}$", join("-", compact([var.name_prefix, var.name])))) && join("-", compact([var.name_prefix, var.name])) != "default"
    error_message = "name (after name_prefix) must have 1 to 48 characters out of a-z, A-Z, 0-9, '_', '.' and '-', and must not be 'default'."
  }
}

variable "name_prefix" {
  description = "What is put before the name, with a '-' between; null for nothing."
  type        = string
  default     = null
}

variable "archive_retention_days" {
  description = "How many days events are kept for replay; 0 for no archive."
  type        = number
  default     = 0

  validation {
    condition     = var.archive_retention_days >= 0 && floor(var.archive_retention_days) == var.archive_retention_days
    error_message = "archive_retention_days must be a whole number, 0 or more."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for events at rest; null for the key that EventBridge owns."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the bus."
  type        = map(string)
  default     = {}
}
