variable "create" {
  description = "Whether to create the functions and their routes."
  type        = bool
  default     = true
}

variable "stack" {
  description = "Name of the stack, as the catalogue has it in its entries' `stack`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.stack))
    error_message = "stack must have a-z, 0-9 and '-', starting with a letter."
  }
}

variable "env" {
  description = "Name of the environment; the functions get it as HOLDFAST_ENV."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.env))
    error_message = "env must have 1 to 20 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "name_prefix" {
  description = "Prefix of the functions' names: `<name_prefix>-<key>`."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,48}$", var.name_prefix))
    error_message = "name_prefix must have 1 to 48 characters out of a-z, A-Z, 0-9, '_' and '-'."
  }
}

variable "catalogue_file" {
  description = "JSON file that lists every function of the system with its stack, routes and triggers."
  type        = string

  validation {
    condition     = can(jsondecode(file(var.catalogue_file)))
    error_message = "catalogue_file must be a readable JSON file."
  }

  validation {
    condition = try(
      alltrue([for key in keys(var.functions) : jsondecode(file(var.catalogue_file))[key].stack == var.stack]) &&
      alltrue([for key, entry in jsondecode(file(var.catalogue_file)) : contains(keys(var.functions), key) if entry.stack == var.stack && !can(entry.only)]),
      false,
    )
    error_message = "functions and the catalogue must agree: every function of this stack in both, none in one alone (those with `only` may be absent)."
  }
}

variable "release_manifest" {
  description = "JSON file of the release, with the form `{version, arch, functions: {<key>: {sha256, file, s3Key}}}`."
  type        = string

  validation {
    condition     = can(jsondecode(file(var.release_manifest)).functions)
    error_message = "release_manifest must be the readable JSON manifest of a release; build first."
  }

  validation {
    condition     = try(alltrue([for key in keys(var.functions) : contains(keys(jsondecode(file(var.release_manifest)).functions), key)]), false)
    error_message = "release_manifest must hold an artifact of every function of this stack; build again."
  }
}

variable "artifacts_bucket" {
  description = "Bucket that holds the artifacts under the manifest's keys."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.artifacts_bucket))
    error_message = "artifacts_bucket must be the name of a bucket: 3 to 63 characters, a-z, 0-9, '.' and '-'."
  }
}

variable "upload_artifacts" {
  description = "Whether to upload the manifest's local files to the bucket; off if a release process uploads them."
  type        = bool
  default     = false
}

variable "functions" {
  description = "The stack's functions by key: environment (besides FUNCTION_KEY, HOLDFAST_ENV, LOG_LEVEL), permissions, sizes and event sources, as in the module lambda-function."
  type = map(object({
    description          = optional(string, "")
    runtime              = optional(string, "provided.al2023")
    handler              = optional(string, "bootstrap")
    environment          = optional(map(string), {})
    memory_size_mb       = optional(number, 256)
    timeout_seconds      = optional(number, 10)
    reserved_concurrency = optional(number)
    # Whether the function sends itself work through a queue, in chains that it bounds itself.
    recursive_loop_allowed = optional(bool, false)
    permissions = optional(map(object({
      actions    = set(string)
      resources  = set(string)
      conditions = optional(map(map(list(string))), {})
    })), {})
    queue_sources = optional(map(object({
      queue_arn               = string
      batch_size              = optional(number, 10)
      batching_window_seconds = optional(number, 0)
      maximum_concurrency     = optional(number)
    })), {})
    stream_sources = optional(map(object({
      stream_arn                 = string
      on_failure_queue_arn       = string
      starting_position          = optional(string, "TRIM_HORIZON")
      batch_size                 = optional(number, 10)
      batching_window_seconds    = optional(number, 0)
      parallelization_factor     = optional(number, 1)
      maximum_retry_attempts     = optional(number, 5)
      maximum_record_age_seconds = optional(number, 3600)
      filter_patterns            = optional(list(string), [])
    })), {})
    vpc = optional(object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    }))
  }))

  validation {
    condition     = alltrue([for function in values(var.functions) : function.memory_size_mb >= 128 && function.memory_size_mb <= 10240 && function.timeout_seconds >= 1 && function.timeout_seconds <= 900])
    error_message = "functions must have memory_size_mb of 128 to 10240 and timeout_seconds of 1 to 900."
  }
}

variable "reserved_concurrency" {
  description = "Executions reserved for single functions, by key; they take precedence over `functions`. Keys of other stacks' functions have no effect."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for number in values(var.reserved_concurrency) : number >= 0 && floor(number) == number])
    error_message = "reserved_concurrency must be whole numbers, 0 (the function does not run) or more."
  }
}

variable "http_environment" {
  description = "Environment variables of every function that has routes, besides its own."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.http_environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "http_environment must have names of capital letters, digits and '_'."
  }
}

variable "private_cache" {
  description = "A cache in a private network. The functions whose environment has CACHE_PROVIDER run in the network and may connect to the cache. They also reach DynamoDB and the services of `endpoint_services` (such as kms), which have an interface endpoint there, and nothing else. Null for none."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    connect_arns       = list(string)
    endpoint_services  = optional(list(string), [])
  })
  default = null

  validation {
    condition = var.private_cache == null || alltrue(flatten([
      for function in values(var.functions) : [
        for permission in values(function.permissions) : [
          for action in permission.actions : contains(concat(["dynamodb"], try(var.private_cache.endpoint_services, [])), split(":", action)[0])
        ]
      ] if contains(keys(function.environment), "CACHE_PROVIDER")
    ]))
    error_message = "private_cache: a function in the cache's network reaches only the cache, DynamoDB and its endpoint_services. Functions that post to sockets, queues or a bus must run outside."
  }
}

variable "http_api" {
  description = "HTTP API that the routes are attached to, and the Lambda authorizer of the routes whose `authorization` is CUSTOM; null for a stack without routes."
  type = object({
    id            = string
    execution_arn = string
    authorizer_id = optional(string)
  })
  default = null

  validation {
    condition     = var.http_api != null || !anytrue([for entry in values(try(jsondecode(file(var.catalogue_file)), {})) : entry.stack == var.stack && can(entry.routes)])
    error_message = "http_api must be given: the catalogue has routes for this stack."
  }
}

variable "log_level" {
  description = "LOG_LEVEL of the functions: error, warn, info, debug or trace."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["error", "warn", "info", "debug", "trace"], var.log_level)
    error_message = "log_level must be error, warn, info, debug or trace."
  }
}

variable "alias_owner" {
  description = "Owner of the functions' alias: none, terraform or deployer (see lambda-function)."
  type        = string
  default     = "terraform"

  validation {
    condition     = contains(["none", "terraform", "deployer"], var.alias_owner)
    error_message = "alias_owner must be none, terraform or deployer."
  }
}

variable "code_signing_config_arn" {
  description = "Code-signing configuration of AWS Signer that the functions must satisfy; null for none. Then only the artifact's hash in the release manifest identifies the code."
  type        = string
  default     = null

  validation {
    condition     = var.code_signing_config_arn == null ? true : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:code-signing-config:csc-[a-z0-9]+$", var.code_signing_config_arn))
    error_message = "code_signing_config_arn must be the ARN of a code-signing configuration, or null."
  }
}

variable "tracing_enabled" {
  description = "Whether X-Ray traces the functions."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Retention of the functions' logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a value that CloudWatch Logs allows, such as 7, 30, 90 or 365."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key of the environment; null for AWS-owned keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias), or null."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the functions' roles; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a policy, or null."
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
