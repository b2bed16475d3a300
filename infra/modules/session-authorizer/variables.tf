variable "create" {
  description = "Whether to create the authorizer."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the authorizer, one of its own in each API."
  type        = string
  default     = "session"

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,64}$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 1 to 64 characters out of a-z, A-Z, 0-9, '_' and '-'."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "api" {
  description = "API that the authorizer protects: its type (HTTP, REST or WEBSOCKET), its id, and its execution ARN."
  type = object({
    type          = string
    id            = string
    execution_arn = string
  })

  validation {
    condition     = contains(["HTTP", "REST", "WEBSOCKET"], var.api.type)
    error_message = "api.type must be HTTP, REST or WEBSOCKET."
  }

  validation {
    condition     = can(regex("^[a-z0-9]{1,32}$", var.api.id))
    error_message = "api.id must be the id of an API: letters and digits."
  }

  validation {
    condition     = can(regex("^arn:[a-z-]+:execute-api:[^*]+$", var.api.execution_arn))
    error_message = "api.execution_arn must be the execution ARN of an API (arn:aws:execute-api:…), without a wildcard."
  }
}

variable "function" {
  description = "The function `sessions-authorizer`: its name or ARN, its alias (null without one), and the invoke ARN of that alias. The output `authorizer` of the stack sessions is such a value."
  type = object({
    name       = string
    qualifier  = optional(string)
    invoke_arn = string
  })

  validation {
    condition     = can(regex("^arn:[a-z-]+:apigateway:[a-z0-9-]+:lambda:path/", var.function.invoke_arn))
    error_message = "function.invoke_arn must be the invoke ARN of a function (arn:aws:apigateway:…:lambda:path/…), not its ARN."
  }
}

variable "result_ttl_seconds" {
  description = "Time for which API Gateway keeps a result (0 to 3600). With 0 it asks for every request. With more, an ended session is accepted for as long, and only `Authorization` counts, not cookies."
  type        = number
  default     = 0

  validation {
    condition     = var.result_ttl_seconds >= 0 && var.result_ttl_seconds <= 3600 && floor(var.result_ttl_seconds) == var.result_ttl_seconds
    error_message = "result_ttl_seconds must be a whole number, 0 to 3600."
  }

  validation {
    condition     = var.result_ttl_seconds == 0 || var.api.type != "WEBSOCKET"
    error_message = "result_ttl_seconds must be 0 for a WebSocket API, which asks once for each socket."
  }
}
