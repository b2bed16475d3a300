variable "create" {
  description = "Whether to create the API."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the API."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,120}$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 1 to 120 characters out of a-z, A-Z, 0-9, '_' and '-'."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "description" {
  description = "Purpose of the API, in one line."
  type        = string
  default     = ""

  validation {
    condition     = length(var.description) <= 1024
    error_message = "description must have at most 1024 characters."
  }
}

variable "stage_name" {
  description = "Name of the stage; it is part of the address."
  type        = string
  default     = "v1"

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,128}$", var.stage_name))
    error_message = "stage_name must have 1 to 128 characters out of a-z, A-Z, 0-9, '_' and '-' ($default is for HTTP APIs only)."
  }
}

variable "route_selection_expression" {
  description = "Expression that selects the route of a frame; without a match $default gets it. If it reads the content of the frame, a client can also name $connect and $disconnect. Their functions must then check the event type. $${request.body.action}-frame adds a text, after which no client can name them. \\$default sends every frame to that route."
  type        = string
  default     = "$request.body.action"

  validation {
    condition     = startswith(var.route_selection_expression, "$request.body.") || can(regex("^\\$\\{request\\.body\\.[a-zA-Z0-9._]+\\}[a-zA-Z0-9._-]+$", var.route_selection_expression)) || var.route_selection_expression == "\\$default"
    error_message = "route_selection_expression must start with $request.body., or be $${request.body.<member>}<text>, or \\$default, the static value of API Gateway that selects $default."
  }
}

variable "authorizer" {
  description = "Function that decides on $connect. All identity sources must be present in a request, or API Gateway answers 401 without calling it."
  type = object({
    function_name      = string
    invoke_arn         = string
    function_qualifier = optional(string)
    identity_sources   = optional(set(string), ["route.request.header.Host"])
  })

  validation {
    condition     = length(var.authorizer.identity_sources) > 0 && alltrue([for source in var.authorizer.identity_sources : startswith(source, "route.request.") || startswith(source, "context.") || startswith(source, "stageVariables.")])
    error_message = "authorizer.identity_sources must be expressions such as route.request.header.Host, at least one."
  }
}

variable "routes" {
  description = "Function of each route key. $connect, which alone carries the authorizer, and $default are required."
  type = map(object({
    function_name        = string
    invoke_arn           = string
    function_qualifier   = optional(string)
    timeout_milliseconds = optional(number, 29000)
  }))

  validation {
    condition     = contains(keys(var.routes), "$connect") && contains(keys(var.routes), "$default")
    error_message = "routes must have $connect (or any client could connect unchecked) and $default (or API Gateway answers frames without a route with an error of its own)."
  }

  validation {
    condition     = alltrue([for route in values(var.routes) : route.timeout_milliseconds >= 50 && route.timeout_milliseconds <= 29000])
    error_message = "routes.timeout_milliseconds must be 50 to 29000: API Gateway waits no longer than 29 s."
  }

  validation {
    condition     = alltrue([for key in keys(var.routes) : can(regex("^(\\$connect|\\$disconnect|\\$default|[a-zA-Z0-9._-]{1,128})$", key))])
    error_message = "routes must have keys of letters, digits, '.', '_' and '-', besides $connect, $disconnect and $default."
  }
}

variable "unanswered_routes" {
  description = "Route keys whose frames API Gateway takes without a function and without an answer, such as keep-alives. Each has a limit of frames a second and the burst above it, of all clients together."
  type = map(object({
    rate_limit  = number
    burst_limit = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.unanswered_routes) : can(regex("^[a-zA-Z0-9._-]{1,128}$", key))]) && length(setintersection(keys(var.unanswered_routes), keys(var.routes))) == 0
    error_message = "unanswered_routes must have keys of letters, digits, '.', '_' and '-' that routes does not have."
  }

  validation {
    condition     = alltrue([for limit in values(var.unanswered_routes) : limit.rate_limit > 0 && limit.burst_limit > 0])
    error_message = "unanswered_routes must have limits of more than 0: API Gateway refuses everything at 0."
  }
}

variable "throttling" {
  description = "Connects and frames a second, and the burst above them. All APIs of an account and Region share 10000/s by default, posts to sockets included."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
  default = {
    rate_limit  = 1000
    burst_limit = 500
  }
  nullable = false

  validation {
    condition     = var.throttling.rate_limit == null ? false : var.throttling.rate_limit > 0
    error_message = "throttling.rate_limit must be more than 0: API Gateway answers 429 to everything at 0."
  }

  validation {
    condition     = var.throttling.burst_limit == null ? false : var.throttling.burst_limit > 0
    error_message = "throttling.burst_limit must be more than 0: API Gateway answers 429 to everything at 0."
  }
}

variable "execution_logging_level" {
  description = "API Gateway's own log: OFF, ERROR or INFO. Needs the account's aws_api_gateway_account."
  type        = string
  default     = "ERROR"

  validation {
    condition     = contains(["OFF", "ERROR", "INFO"], var.execution_logging_level)
    error_message = "execution_logging_level must be OFF, ERROR or INFO."
  }
}

variable "detailed_metrics_enabled" {
  description = "Whether each route has its own CloudWatch metrics."
  type        = bool
  default     = true
}

variable "access_logs_enabled" {
  description = "Whether connects, frames and disconnects are logged (without headers, query and body). Needs the account's aws_api_gateway_account."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Retention of the access logs and of API Gateway's own log; one of the values that CloudWatch allows."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a value that CloudWatch Logs allows, such as 7, 30, 90 or 365."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for the access log and API Gateway's own; null for the key that CloudWatch owns."
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

variable "api_tags" {
  description = "Further tags of the API alone."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.api_tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "api_tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
