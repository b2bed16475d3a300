variable "create" {
  description = "Whether to create the queues."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the queue; its dead-letter queue is `<name>-dlq`."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,76}$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 1 to 76 characters out of a-z, A-Z, 0-9, '_' and '-' (80 with the suffix -dlq)."
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

variable "dead_letter_queue" {
  description = "Dead-letter queue: receives before a message moves there, and how long it is kept there; null for none (a queue that is a dead-letter queue itself)."
  type = object({
    max_receive_count         = optional(number, 5)
    message_retention_seconds = optional(number, 1209600)
  })
  default = {}

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
