variable "connection_ttl_seconds" {
  description = "Lifetime of a socket's rows. API Gateway ends every socket after 7200 s."
  type        = number
  default     = 7800

  validation {
    condition     = var.connection_ttl_seconds >= 60 && var.connection_ttl_seconds <= 86400 && floor(var.connection_ttl_seconds) == var.connection_ttl_seconds
    error_message = "connection_ttl_seconds must be a whole number from 60 to 86400."
  }
}

variable "max_connections_per_user" {
  description = "Sockets a user may have at once; one more closes the oldest."
  type        = number
  default     = 10

  validation {
    condition     = var.max_connections_per_user >= 1 && var.max_connections_per_user <= 100 && floor(var.max_connections_per_user) == var.max_connections_per_user
    error_message = "max_connections_per_user must be a whole number from 1 to 100."
  }
}

variable "websocket_throttling" {
  description = "Connects and frames a second, and the burst above them. Null for 40 % of account_requests_per_second, which is what posts to sockets leave, and half of that as the burst."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
  default = null

  validation {
    condition     = var.websocket_throttling == null ? true : var.websocket_throttling.rate_limit > 0 && var.websocket_throttling.burst_limit > 0
    error_message = "websocket_throttling must have a rate_limit and a burst_limit of more than 0, or be null: API Gateway answers 429 to everything at 0."
  }
}

variable "fanout_memory_mb" {
  description = "Memory of push-fanout, which posts messages to sockets. Lambda gives a whole processor at 1 769 MB; with less, a worker can be too slow for its part of the budget."
  type        = number
  default     = 1769

  validation {
    condition     = var.fanout_memory_mb >= 256 && var.fanout_memory_mb <= 10240 && floor(var.fanout_memory_mb) == var.fanout_memory_mb
    error_message = "fanout_memory_mb must be a whole number from 256 to 10240."
  }
}

variable "push_maximum_concurrency" {
  description = "Workers that deliver direct messages at once; null for as many as the budget needs."
  type        = number
  default     = null

  validation {
    condition     = var.push_maximum_concurrency == null ? true : var.push_maximum_concurrency >= 2 && var.push_maximum_concurrency <= 1000 && floor(var.push_maximum_concurrency) == var.push_maximum_concurrency
    error_message = "push_maximum_concurrency must be null, or a whole number from 2 to 1000."
  }
}

variable "broadcast_maximum_concurrency" {
  description = "Workers that deliver broadcasts at once; null for as many as the budget needs."
  type        = number
  default     = null

  validation {
    condition     = var.broadcast_maximum_concurrency == null ? true : var.broadcast_maximum_concurrency >= 2 && var.broadcast_maximum_concurrency <= 1000 && floor(var.broadcast_maximum_concurrency) == var.broadcast_maximum_concurrency
    error_message = "broadcast_maximum_concurrency must be null, or a whole number from 2 to 1000."
  }
}

variable "close_maximum_concurrency" {
  description = "Workers that close sockets at once."
  type        = number
  default     = 5

  validation {
    condition     = var.close_maximum_concurrency >= 2 && var.close_maximum_concurrency <= 1000 && floor(var.close_maximum_concurrency) == var.close_maximum_concurrency
    error_message = "close_maximum_concurrency must be a whole number from 2 to 1000."
  }
}

variable "push_p99_milliseconds" {
  description = "Delivery time of a message to sockets (p99) above which an alarm is raised."
  type        = number
  default     = 1000

  validation {
    condition     = var.push_p99_milliseconds > 0
    error_message = "push_p99_milliseconds must be more than 0."
  }
}

variable "push_budget_percent" {
  description = "Parts of account_requests_per_second that posts to sockets may take: direct messages, broadcasts and topics, recovery after reconnects. Together at most 60: the rest is for sign-ins, validation and frames."
  type = object({
    direct    = optional(number, 25)
    broadcast = optional(number, 25)
    recovery  = optional(number, 10)
  })
  default = {}

  validation {
    condition     = alltrue([for percent in values(var.push_budget_percent) : percent >= 1]) && sum(values(var.push_budget_percent)) <= 60
    error_message = "push_budget_percent must give at least 1 to each of direct, broadcast and recovery, and at most 60 together."
  }
}

variable "post_latency_milliseconds" {
  description = "Time of a post to a socket. The number of workers for a budget is computed from it."
  type        = number
  default     = 20

  validation {
    condition     = var.post_latency_milliseconds >= 1 && var.post_latency_milliseconds <= 1000
    error_message = "post_latency_milliseconds must be 1 to 1000."
  }
}
