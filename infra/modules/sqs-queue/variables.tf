variable "create" {
  description = "Whether to create the queues."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the queue; its dead-letter queue is `<name>-dlq`. A FIFO queue gets the ending `.fifo` after it."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,76}$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 1 to 76 characters out of a-z, A-Z, 0-9, '_' and '-' (80 with the suffix -dlq)."
  }

  validation {
    condition     = var.fifo == null || length(join("-", compact([var.name_prefix, var.name]))) <= 71
    error_message = "name (after name_prefix) of a FIFO queue must have at most 71 characters (80 with the suffix -dlq.fifo)."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "consumer_timeout_seconds" {
  description = "Time-out of the function that reads the queue; 0 when none does."
  type        = number
  default     = 0

  validation {
    condition     = var.consumer_timeout_seconds >= 0 && var.consumer_timeout_seconds <= 900
    error_message = "consumer_timeout_seconds must be 0 to 900."
  }
}

variable "visibility_timeout_seconds" {
  description = "Time for which a received message is hidden from other readers. It must be at least 6 times consumer_timeout_seconds, as AWS advises. Otherwise a slow batch is delivered twice."
  type        = number
  default     = 30

  validation {
    condition     = var.visibility_timeout_seconds >= 0 && var.visibility_timeout_seconds <= 43200
    error_message = "visibility_timeout_seconds must be 0 to 43200."
  }

  validation {
    condition     = var.visibility_timeout_seconds >= 6 * var.consumer_timeout_seconds
    error_message = "visibility_timeout_seconds must be at least 6 times consumer_timeout_seconds."
  }
}

variable "message_retention_seconds" {
  description = "Retention of an unread message (60 to 1209600)."
  type        = number
  default     = 345600

  validation {
    condition     = var.message_retention_seconds >= 60 && var.message_retention_seconds <= 1209600
    error_message = "message_retention_seconds must be 60 to 1209600."
  }
}

variable "max_message_size_bytes" {
  description = "Largest message accepted (1024 to 262144)."
  type        = number
  default     = 262144

  validation {
    condition     = var.max_message_size_bytes >= 1024 && var.max_message_size_bytes <= 262144
    error_message = "max_message_size_bytes must be 1024 to 262144."
  }
}

variable "fifo" {
  description = "Order and deduplication: messages of a group are delivered in order and once. `content_based_deduplication` takes the hash of the body where a sender gives no deduplication id. `high_throughput` deduplicates and limits by group instead of by queue. Null for a standard queue. A change between the two replaces the queue."
  type = object({
    content_based_deduplication = optional(bool, false)
    high_throughput             = optional(bool, false)
  })
  default = null
}

variable "delay_seconds" {
  description = "Time after which a new message can be received (0 to 900)."
  type        = number
  default     = 0

  validation {
    condition     = var.delay_seconds >= 0 && var.delay_seconds <= 900 && floor(var.delay_seconds) == var.delay_seconds
    error_message = "delay_seconds must be a whole number from 0 to 900."
  }
}

variable "dead_letter_queue" {
  description = "Dead-letter queue: receives before a message moves there, and how long it is kept there. With `external_arn` messages move to that queue, and the module creates none; its owner sets its retention and lets this queue use it. Null for no dead-letter queue (a queue that is a dead-letter queue itself)."
  type = object({
    max_receive_count         = optional(number, 5)
    message_retention_seconds = optional(number, 1209600)
    external_arn              = optional(string)
  })
  default = {}

  validation {
    condition     = try(var.dead_letter_queue.external_arn, null) == null ? true : can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+([.]fifo)?$", var.dead_letter_queue.external_arn))
    error_message = "dead_letter_queue.external_arn must be the ARN of a queue, or null for a dead-letter queue of this module."
  }

  validation {
    condition     = try(var.dead_letter_queue.external_arn, null) == null ? true : endswith(var.dead_letter_queue.external_arn, ".fifo") == (var.fifo != null)
    error_message = "dead_letter_queue.external_arn must be a FIFO queue if this queue is one, and a standard queue if not: SQS requires the same kind."
  }

  validation {
    condition     = var.dead_letter_queue == null ? true : var.dead_letter_queue.max_receive_count >= 1 && var.dead_letter_queue.max_receive_count <= 1000
    error_message = "dead_letter_queue.max_receive_count must be 1 to 1000."
  }

  validation {
    condition     = var.dead_letter_queue == null ? true : var.dead_letter_queue.message_retention_seconds >= var.message_retention_seconds && var.dead_letter_queue.message_retention_seconds <= 1209600
    error_message = "dead_letter_queue.message_retention_seconds must be at least message_retention_seconds (a message keeps its age when it moves) and at most 1209600."
  }
}

variable "deny_insecure_transport" {
  description = "Whether the queue's policy refuses requests without TLS."
  type        = bool
  default     = true
}

variable "senders" {
  description = "AWS services that may send to the queue (for example events.amazonaws.com), each for one source ARN, by statement id."
  type = map(object({
    service    = string
    source_arn = string
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for sender in values(var.senders) : endswith(sender.service, ".amazonaws.com")])
    error_message = "senders.service must be an AWS service principal such as events.amazonaws.com."
  }

  validation {
    condition     = !var.create || alltrue([for sender in values(var.senders) : startswith(sender.source_arn, "arn:")])
    error_message = "senders.source_arn must be an ARN: without one, any account's resources of that service could send."
  }
}

variable "policy_statements" {
  description = "Further statements of the queue's policy, by statement id: principals by kind (AWS, Service, Federated), actions and conditions (values by operator and key). The statements apply to the queue, not to its dead-letter queue."
  type = map(object({
    effect     = optional(string, "Allow")
    principals = map(set(string))
    actions    = set(string)
    conditions = optional(map(map(list(string))), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for sid in keys(var.policy_statements) : can(regex("^[A-Za-z0-9]+$", sid)) && sid != "DenyInsecureTransport" && !contains(keys(var.senders), sid)])
    error_message = "policy_statements must have statement ids of letters and digits that neither senders nor the module (DenyInsecureTransport) has."
  }

  validation {
    condition     = alltrue([for statement in values(var.policy_statements) : contains(["Allow", "Deny"], statement.effect) && length(statement.principals) > 0 && alltrue([for kind, principals in statement.principals : contains(["AWS", "Service", "Federated"], kind) && length(principals) > 0])])
    error_message = "policy_statements must have the effect Allow or Deny, and principals of the kinds AWS, Service or Federated, at least one."
  }

  validation {
    condition     = alltrue([for statement in values(var.policy_statements) : length(statement.actions) > 0 && alltrue([for action in statement.actions : can(regex("^sqs:[A-Za-z]+$", action)) || (statement.effect == "Deny" && action == "sqs:*")])])
    error_message = "policy_statements.actions must name actions of SQS, such as sqs:SendMessage, at least one. Only Deny may name sqs:*."
  }

  validation {
    condition     = alltrue([for statement in values(var.policy_statements) : statement.effect == "Deny" || length(statement.conditions) > 0 || !contains(flatten(values(statement.principals)), "*")])
    error_message = "policy_statements must not allow the principal \"*\" without a condition: everyone could use the queue. Name the principals, or add a condition such as aws:PrincipalOrgID."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for encryption at rest; null for the key that SQS owns."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias), or null."
  }
}

variable "tags" {
  description = "Tags of the queues."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
