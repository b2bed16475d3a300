variable "create" {
  description = "Whether to create the routes."
  type        = bool
  default     = true
}

variable "api_id" {
  description = "Id of the HTTP API."
  type        = string
}

variable "api_execution_arn" {
  description = "Execution ARN of the HTTP API."
  type        = string
}

variable "route_keys" {
  description = "Routes that the function serves: `METHOD /path`, or `$default`."
  type        = set(string)

  validation {
    condition     = length(var.route_keys) > 0
    error_message = "route_keys must not be empty."
  }

  validation {
    condition     = alltrue([for key in var.route_keys : key == "$default" || can(regex("^(ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /[^ ]*$", key))])
    error_message = "route_keys must be `METHOD /path` with a method of ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT, or `$default`."
  }
}

variable "authorization" {
  description = "NONE (the function checks the caller itself) or AWS_IAM (signed requests of one's own services)."
  type        = string
  default     = "NONE"

  validation {
    condition     = contains(["NONE", "AWS_IAM"], var.authorization)
    error_message = "authorization must be NONE or AWS_IAM."
  }
}

variable "function_name" {
  description = "Name of the function."
  type        = string
}

variable "function_qualifier" {
  description = "Alias of the function; null without one."
  type        = string
  default     = null
}

variable "invoke_arn" {
  description = "Invoke ARN of the function or of its alias."
  type        = string
}

variable "timeout_milliseconds" {
  description = "How long API Gateway waits for the function (50 to 29000)."
  type        = number
  default     = 29000

  validation {
    condition     = var.timeout_milliseconds >= 50 && var.timeout_milliseconds <= 29000
    error_message = "timeout_milliseconds must be 50 to 29000: API Gateway waits no longer than 29 s."
  }
}
