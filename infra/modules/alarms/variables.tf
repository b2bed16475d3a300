variable "create" {
  description = "Whether to create the alarms."
  type        = bool
  default     = true
}

variable "name_prefix" {
  description = "Prefix of the alarms' names."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,128}$", var.name_prefix))
    error_message = "name_prefix must have 1 to 128 characters out of a-z, A-Z, 0-9, '_' and '-'."
  }
}

variable "functions" {
  description = "Functions to watch for errors, throttles and duration (p99_milliseconds; default 80 % of the time-out), and readers of streams for their age (max_iterator_age_seconds)."
  type = map(object({
    name                     = string
    timeout_seconds          = optional(number, 10)
    p99_milliseconds         = optional(number)
    max_iterator_age_seconds = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for function in values(var.functions) : function.timeout_seconds >= 1 && function.timeout_seconds <= 900])
    error_message = "functions.timeout_seconds must be 1 to 900."
  }

  validation {
    condition     = alltrue([for function in values(var.functions) : function.p99_milliseconds == null ? true : function.p99_milliseconds > 0])
    error_message = "functions.p99_milliseconds must be more than 0, or null."
  }

  validation {
    condition     = alltrue([for function in values(var.functions) : function.max_iterator_age_seconds == null ? true : function.max_iterator_age_seconds > 0])
    error_message = "functions.max_iterator_age_seconds must be more than 0, or null."
  }
}

variable "queues" {
  description = "Queues to watch for the age of their oldest message (name, max_age_seconds), and dead-letter queues for not being empty (dlq_name)."
  type = map(object({
    name            = optional(string)
    dlq_name        = optional(string)
    max_age_seconds = optional(number, 300)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for queue in values(var.queues) : queue.name != null || queue.dlq_name != null])
    error_message = "queues must have name, dlq_name or both."
  }

  validation {
    condition     = alltrue([for queue in values(var.queues) : queue.max_age_seconds > 0])
    error_message = "queues.max_age_seconds must be more than 0."
  }
}

variable "custom" {
  description = "Further alarms by name: metrics by id, an expression over the ids when there are several, and the condition. The module's period_seconds, evaluation_periods and datapoints_to_alarm apply unless all three are given."
  type = map(object({
    description = string
    metrics = map(object({
      namespace  = string
      name       = string
      stat       = string
      dimensions = optional(map(string), {})
    }))
    expression = optional(string)
    threshold  = number
    comparison = optional(string, "GreaterThanThreshold")
    rollback   = optional(bool, false)
    # Name of the alarm's runbook. The default is the name of the alarm.
    runbook = optional(string)
    # State of a period without data: notBreaching, or breaching for a metric that is always sent.
    missing_data = optional(string, "notBreaching")
    # Evaluation of this alarm, for a metric that is sent rarely, or whose first value must raise the alarm.
    period_seconds      = optional(number)
    evaluation_periods  = optional(number)
    datapoints_to_alarm = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for custom in values(var.custom) : contains(["GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"], custom.comparison)])
    error_message = "custom.comparison must be GreaterThanThreshold, GreaterThanOrEqualToThreshold, LessThanThreshold or LessThanOrEqualToThreshold."
  }

  validation {
    condition     = alltrue([for custom in values(var.custom) : contains(["notBreaching", "breaching", "ignore", "missing"], custom.missing_data)])
    error_message = "custom.missing_data must be notBreaching, breaching, ignore or missing."
  }

  validation {
    condition     = alltrue([for custom in values(var.custom) : contains([0, 3], length([for value in [custom.period_seconds, custom.evaluation_periods, custom.datapoints_to_alarm] : value if value != null]))])
    error_message = "custom must have period_seconds, evaluation_periods and datapoints_to_alarm, or none of them."
  }

  validation {
    condition     = alltrue([for custom in values(var.custom) : custom.period_seconds == null ? true : custom.period_seconds >= 60 && custom.period_seconds % 60 == 0])
    error_message = "custom.period_seconds must be a multiple of 60."
  }

  validation {
    condition     = alltrue([for custom in values(var.custom) : custom.evaluation_periods == null ? true : custom.evaluation_periods >= 1 && custom.evaluation_periods * coalesce(custom.period_seconds, 60) <= 86400])
    error_message = "custom.evaluation_periods must be at least 1, and with period_seconds span at most a day."
  }

  validation {
    condition     = alltrue([for custom in values(var.custom) : custom.datapoints_to_alarm == null ? true : custom.datapoints_to_alarm >= 1 && custom.datapoints_to_alarm <= coalesce(custom.evaluation_periods, 1)])
    error_message = "custom.datapoints_to_alarm must be 1 to evaluation_periods."
  }

  validation {
    condition     = alltrue([for custom in values(var.custom) : length(custom.metrics) >= 1 && (length(custom.metrics) == 1 || custom.expression != null)])
    error_message = "custom.metrics must have one metric, or several and an expression."
  }

  validation {
    condition     = alltrue(flatten([for custom in values(var.custom) : [for id in keys(custom.metrics) : can(regex("^[a-z][A-Za-z0-9_]*$", id)) && id != "result"]]))
    error_message = "custom.metrics must have ids that start with a lower-case letter, other than 'result'."
  }
}

variable "runbooks" {
  description = "Folder or address of the runbooks; each alarm's description ends with <runbooks>/<runbook>.md. Null for none."
  type        = string
  default     = null

  validation {
    condition     = var.runbooks == null ? true : can(regex("^[^ ]+[^ /]$", var.runbooks))
    error_message = "runbooks must have no space, and no slash at its end."
  }
}

variable "error_rate_percent" {
  description = "Share of failed invocations that raises the alarm."
  type        = number
  default     = 1

  validation {
    condition     = var.error_rate_percent >= 0 && var.error_rate_percent < 100
    error_message = "error_rate_percent must be 0 or more, and less than 100."
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

variable "evaluation_periods" {
  description = "Number of datapoints that are evaluated."
  type        = number
  default     = 3

  validation {
    condition     = var.evaluation_periods >= 1 && var.evaluation_periods * var.period_seconds <= 86400
    error_message = "evaluation_periods must be at least 1, and with period_seconds span at most a day."
  }
}

variable "datapoints_to_alarm" {
  description = "Number of datapoints that must be above the threshold."
  type        = number
  default     = 2

  validation {
    condition     = var.datapoints_to_alarm >= 1 && var.datapoints_to_alarm <= var.evaluation_periods
    error_message = "datapoints_to_alarm must be 1 to evaluation_periods."
  }
}

variable "topic" {
  description = "A topic of the module's own for the alarms, besides topic_arns: addresses that get an e-mail (each must confirm it), and a customer-managed key whose policy lets cloudwatch.amazonaws.com use it. Null for none."
  type = object({
    emails      = optional(set(string), [])
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.topic == null ? true : alltrue([for email in var.topic.emails : can(regex("^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$", email))])
    error_message = "topic.emails must be e-mail addresses, such as on-call@example.com."
  }

  validation {
    condition     = try(var.topic.kms_key_arn, null) == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.topic.kms_key_arn))
    error_message = "topic.kms_key_arn must be the ARN of a key (not of an alias), or null."
  }
}

variable "topic_arns" {
  description = "SNS topics that are notified when an alarm starts and ends."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.topic_arns) + (var.topic == null ? 0 : 1) <= 5 && alltrue([for arn in var.topic_arns : startswith(arn, "arn:")])
    error_message = "topic_arns must be at most 5 ARNs, or 4 with topic."
  }
}

variable "tags" {
  description = "Tags of the alarms."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
