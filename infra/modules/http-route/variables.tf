variable "create" {
  description = "Whether to create the routes."
  type        = bool
  default     = true
}

variable "api_id" {
  description = "Id of the HTTP API."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{1,32}$", var.api_id))
    error_message = "api_id must be the id of an API: letters and digits."
  }
}

variable "api_execution_arn" {
  description = "Execution ARN of the HTTP API."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:execute-api:", var.api_execution_arn))
    error_message = "api_execution_arn must be the execution ARN of an API (arn:aws:execute-api:…)."
  }
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
  description = "NONE (the function checks the caller), AWS_IAM (signed requests of your own services), JWT or CUSTOM (an authorizer of the API checks the caller: authorizer_id)."
  type        = string
  default     = "NONE"

  validation {
    condition     = contains(["NONE", "AWS_IAM", "JWT", "CUSTOM"], var.authorization)
    error_message = "authorization must be NONE, AWS_IAM, JWT or CUSTOM."
  }
}

variable "authorizer_id" {
  description = "Authorizer that checks the callers: of `authorizer_ids` of the module http-api with JWT, of it or of the module session-authorizer with CUSTOM. Null with NONE and AWS_IAM."
  type        = string
  default     = null

  validation {
    condition     = contains(["JWT", "CUSTOM"], var.authorization) == (var.authorizer_id != null)
    error_message = "authorizer_id must be given with authorization JWT or CUSTOM, and only then."
  }
}

variable "authorization_scopes" {
  description = "A JWT must have at least one of these scopes; empty for none. Only with JWT."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.authorization_scopes) == 0 || (var.authorization == "JWT" && alltrue([for scope in var.authorization_scopes : can(regex("^[^ ]{1,64}$", scope))]))
    error_message = "authorization_scopes must be at most 64 characters each, without spaces, and empty unless authorization is JWT."
  }
}

variable "function_name" {
  description = "Name of the function."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,64}$", var.function_name))
    error_message = "function_name must be the name of a function, not its ARN."
  }
}

variable "function_qualifier" {
  description = "Alias of the function; null without one."
  type        = string
  default     = null

  validation {
    condition     = var.function_qualifier == null ? true : can(regex("^[a-zA-Z0-9_-]{1,128}$", var.function_qualifier))
    error_message = "function_qualifier must be the name of an alias, or null."
  }
}

variable "invoke_arn" {
  description = "Invoke ARN of the function or of its alias."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:apigateway:[a-z0-9-]+:lambda:path/", var.invoke_arn))
    error_message = "invoke_arn must be the invoke ARN of a function (arn:aws:apigateway:…:lambda:path/…), not its ARN."
  }
}

variable "timeout_milliseconds" {
  description = "Time that API Gateway waits for the function (50 to 29000)."
  type        = number
  default     = 29000

  validation {
    condition     = var.timeout_milliseconds >= 50 && var.timeout_milliseconds <= 29000
    error_message = "timeout_milliseconds must be 50 to 29000: API Gateway waits no longer than 29 s."
  }
}
