variable "create" {
  description = "Whether to create the API."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the API."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,128}$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 1 to 128 characters out of a-z, A-Z, 0-9, '_' and '-'."
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

variable "cors" {
  description = "Permissions of browsers from other origins. Without allow_origins no CORS headers are sent."
  type = object({
    allow_origins     = optional(set(string), [])
    allow_methods     = optional(set(string), ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
    allow_headers     = optional(set(string), ["authorization", "content-type"])
    expose_headers    = optional(set(string), [])
    allow_credentials = optional(bool, false)
    max_age_seconds   = optional(number, 600)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !(var.cors.allow_credentials && contains(var.cors.allow_origins, "*"))
    error_message = "cors.allow_origins must name origins when allow_credentials is set: \"*\" would let every site act for a signed-in user."
  }

  validation {
    condition     = alltrue([for origin in var.cors.allow_origins : origin == "*" || can(regex("^https?://[^/ ]+$", origin))])
    error_message = "cors.allow_origins must be origins such as https://app.example.com: scheme, host and port, no path, no slash at the end."
  }

  validation {
    condition     = var.cors.max_age_seconds >= -1 && var.cors.max_age_seconds <= 86400
    error_message = "cors.max_age_seconds must be -1 to 86400."
  }
}

variable "throttling" {
  description = "Requests a second of the routes that have no limits of their own (route_throttles), and the burst above them. All APIs of an account and Region share 10000/s by default."
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

variable "route_throttles" {
  description = "Requests a second, and the burst above them, of single routes, by route key (`POST /v1/orders`, `$default`). The other routes have the limits of `throttling`. API Gateway refuses the limits of a route that does not exist: name only those that are attached."
  type = map(object({
    rate_limit  = number
    burst_limit = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.route_throttles) : key == "$default" || can(regex("^(ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /[^ ]*$", key))])
    error_message = "route_throttles must be named by route keys: `METHOD /path`, or `$default`."
  }

  validation {
    condition     = alltrue([for limits in values(var.route_throttles) : limits.rate_limit > 0 && limits.burst_limit > 0])
    error_message = "route_throttles must have a rate_limit and a burst_limit of more than 0: API Gateway answers 429 to everything at 0."
  }
}

variable "jwt_authorizers" {
  description = "Authorizers that check tokens of an OpenID Connect issuer, by name: the issuer, the audiences that it may name, and the place of the token. Routes use them by the output authorizer_ids."
  type = map(object({
    issuer          = string
    audiences       = set(string)
    identity_source = optional(string, "$request.header.Authorization")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, authorizer in var.jwt_authorizers : can(regex("^[A-Za-z0-9_-]{1,64}$", name)) && can(regex("^https://[^ ?#]+$", authorizer.issuer)) && length(authorizer.audiences) > 0])
    error_message = "jwt_authorizers must be named by letters, digits, '_' and '-', and have an https:// issuer and at least one audience: without one, tokens for every client of the issuer would pass."
  }

  validation {
    condition     = alltrue([for authorizer in values(var.jwt_authorizers) : can(regex("^[$]request[.](header|querystring)[.][A-Za-z0-9_-]+$", authorizer.identity_source))])
    error_message = "jwt_authorizers.identity_source must be $request.header.<name> or $request.querystring.<name>."
  }
}

variable "lambda_authorizers" {
  description = "Functions that check the callers, by name of the authorizer. API Gateway sends a request only with all identity_sources, and keeps a result for them (result_ttl_seconds, 0 for none). A kept result counts for every route of the API, so identity_sources must be the whole credential. For sessions of Holdfast use the module session-authorizer."
  type = map(object({
    function_name      = string
    function_qualifier = optional(string)
    invoke_arn         = string
    identity_sources   = optional(set(string), ["$request.header.Authorization"])
    result_ttl_seconds = optional(number, 0)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, authorizer in var.lambda_authorizers : can(regex("^[A-Za-z0-9_-]{1,64}$", name)) && !contains(keys(var.jwt_authorizers), name) && can(regex("^arn:[a-z-]+:apigateway:[a-z0-9-]+:lambda:path/", authorizer.invoke_arn))])
    error_message = "lambda_authorizers must be named by letters, digits, '_' and '-', other than jwt_authorizers, and have the invoke ARN of a function (arn:aws:apigateway:…:lambda:path/…)."
  }

  validation {
    condition     = alltrue([for authorizer in values(var.lambda_authorizers) : authorizer.result_ttl_seconds >= 0 && authorizer.result_ttl_seconds <= 3600 && (authorizer.result_ttl_seconds == 0 || length(authorizer.identity_sources) > 0)])
    error_message = "lambda_authorizers.result_ttl_seconds must be 0 to 3600, and 0 without identity_sources: a result is kept for these."
  }
}

variable "detailed_metrics_enabled" {
  description = "Whether each route has its own CloudWatch metrics."
  type        = bool
  default     = true
}

variable "disable_execute_api_endpoint" {
  description = "Whether the amazonaws.com address is off; only with a custom domain."
  type        = bool
  default     = false
}

variable "access_logs_enabled" {
  description = "Whether requests are logged (without headers, query and body)."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Retention of the access logs; one of the values that CloudWatch allows."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a value that CloudWatch Logs allows, such as 7, 30, 90 or 365."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for the access log; null for the key that CloudWatch owns."
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
