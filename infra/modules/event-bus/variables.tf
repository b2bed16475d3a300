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
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "archive_retention_days" {
  description = "Retention of events for replay; 0 for no archive."
  type        = number
  default     = 0

  validation {
    condition     = var.archive_retention_days >= 0 && floor(var.archive_retention_days) == var.archive_retention_days
    error_message = "archive_retention_days must be a whole number, 0 or more."
  }
}

variable "archive_event_pattern" {
  description = "Pattern (JSON) of the events that the archive keeps, such as {\"detail-type\": [\"ORDER_PLACED\"]}; null for all."
  type        = string
  default     = null

  validation {
    condition     = var.archive_event_pattern == null ? true : can(keys(jsondecode(var.archive_event_pattern))) && var.archive_retention_days > 0
    error_message = "archive_event_pattern must be a JSON object, and needs archive_retention_days of at least 1; null keeps all events."
  }
}

variable "policy_statements" {
  description = "Statements of the bus's policy, by statement id. Each names principals by kind (AWS, Service) that may put events, or may not (effect Deny), and conditions (values by operator and key). Roles of the bus's own account need none."
  type = map(object({
    effect     = optional(string, "Allow")
    principals = map(set(string))
    conditions = optional(map(map(list(string))), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for sid, statement in var.policy_statements : can(regex("^[A-Za-z0-9]+$", sid)) && contains(["Allow", "Deny"], statement.effect) && length(statement.principals) > 0 && alltrue([for kind, principals in statement.principals : contains(["AWS", "Service"], kind) && length(principals) > 0])])
    error_message = "policy_statements must have ids of letters and digits, the effect Allow or Deny, and principals of the kinds AWS or Service, at least one."
  }

  validation {
    condition     = alltrue([for statement in values(var.policy_statements) : statement.effect == "Deny" || length(statement.conditions) > 0 || !contains(flatten(values(statement.principals)), "*")])
    error_message = "policy_statements must not allow the principal \"*\" without a condition: everyone could put events. Name accounts, or add a condition such as aws:PrincipalOrgID."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for events at rest; null for the key that EventBridge owns."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias), or null."
  }
}

variable "dead_letter_queue_arn" {
  description = "Queue for events that EventBridge cannot encrypt or decrypt with kms_key_arn; null for none. Its policy must let this bus send (`senders` of the module sqs-queue)."
  type        = string
  default     = null

  validation {
    condition     = var.dead_letter_queue_arn == null ? true : can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:.+$", var.dead_letter_queue_arn))
    error_message = "dead_letter_queue_arn must be the ARN of a queue, or null."
  }
}

variable "tags" {
  description = "Tags of the bus."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
