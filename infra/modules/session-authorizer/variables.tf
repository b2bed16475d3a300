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

  validation {
    condition     = var.instance == null || length(join("-", compact([var.name_prefix, var.name]))) <= 53
    error_message = "name (after name_prefix) must have at most 53 characters with instance: the function is named `<name>-authorizer`."
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
  description = "The shared function `sessions-authorizer`: its name or ARN, its alias (null without one), and the invoke ARN of that alias. The output `authorizer` of the stack sessions is such a value. Null with `instance`."
  type = object({
    name       = string
    qualifier  = optional(string)
    invoke_arn = string
  })
  default = null

  validation {
    condition     = var.function == null ? true : can(regex("^arn:[a-z-]+:apigateway:[a-z0-9-]+:lambda:path/", var.function.invoke_arn))
    error_message = "function.invoke_arn must be the invoke ARN of a function (arn:aws:apigateway:…:lambda:path/…), not its ARN."
  }

  validation {
    condition     = (var.function == null) != (var.instance == null)
    error_message = "Give either function (the shared one) or instance (one of its own)."
  }
}

variable "instance" {
  description = "An instance of the function for this API alone: artifact, environment, permissions and settings, as in the module lambda-function. The output `authorizer_instance` of the stack sessions is such a value. Null with `function`."
  type = object({
    artifact = object({
      sha256    = string
      filename  = optional(string)
      s3_bucket = optional(string)
      s3_key    = optional(string)
    })
    architecture = optional(string, "arm64")
    environment  = map(string)
    permissions = map(object({
      actions    = set(string)
      resources  = set(string)
      conditions = optional(map(map(list(string))), {})
    }))
    vpc = optional(object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    }))
    memory_size_mb           = optional(number, 256)
    timeout_seconds          = optional(number, 10)
    application_log_level    = optional(string, "INFO")
    system_log_level         = optional(string)
    alias_owner              = optional(string, "terraform")
    tracing_enabled          = optional(bool, true)
    log_retention_days       = optional(number, 30)
    kms_key_arn              = optional(string)
    permissions_boundary_arn = optional(string)
    code_signing_config_arn  = optional(string)
  })
  default = null

  validation {
    condition = var.instance == null ? true : alltrue(flatten([for permission in values(var.instance.permissions) : [
      for action in permission.actions : contains(["dynamodb:GetItem", "dynamodb:UpdateItem", "elasticache:Connect"], action)
    ]]))
    error_message = "instance.permissions may have dynamodb:GetItem, dynamodb:UpdateItem and elasticache:Connect only. The function needs no other action."
  }

  validation {
    condition     = var.instance == null ? true : contains(keys(var.instance.environment), "SESSIONS_TABLE") && length(setintersection(keys(var.instance.environment), ["REQUIRE_MFA", "MAX_AGE_SECONDS"])) == 0
    error_message = "instance.environment must have SESSIONS_TABLE. Set REQUIRE_MFA and MAX_AGE_SECONDS with require_mfa and max_age_seconds."
  }
}

variable "require_mfa" {
  description = "Whether the instance refuses sessions that have shown no second factor."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.require_mfa || var.instance != null
    error_message = "require_mfa needs instance: the shared function serves other APIs, too."
  }
}

variable "max_age_seconds" {
  description = "Time since the authentication of the user after which the instance refuses the session (1 to 2592000); null for any time."
  type        = number
  default     = null

  validation {
    condition     = var.max_age_seconds == null ? true : var.max_age_seconds >= 1 && var.max_age_seconds <= 2592000 && floor(var.max_age_seconds) == var.max_age_seconds
    error_message = "max_age_seconds must be a whole number from 1 to 2592000 (30 days), or null."
  }

  validation {
    condition     = var.max_age_seconds == null || var.instance != null
    error_message = "max_age_seconds needs instance: the shared function serves other APIs, too."
  }
}

variable "create_permission" {
  description = "Whether to permit the authorizer to invoke the function. Turn it off for a function of another account, and permit the output `source_arn` there."
  type        = bool
  default     = true

  validation {
    condition     = var.create_permission || var.instance == null
    error_message = "create_permission must be true with instance: the instance is in the account of the API."
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

variable "tags" {
  description = "Tags of the resources of an instance."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
