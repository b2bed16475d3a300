variable "create" {
  description = "Whether to create the function."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the function, of its role and of its log group (/aws/lambda/<name>)."
  type        = string

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

variable "description" {
  description = "Purpose of the function, in one line."
  type        = string
  default     = ""

  validation {
    condition     = length(var.description) <= 256
    error_message = "description must have at most 256 characters."
  }
}

variable "artifact" {
  description = "The zip with the code (`bootstrap` of a binary): SHA-256 of the zip (64 hexadecimal digits), and either a local file or an S3 bucket and key."
  type = object({
    sha256    = string
    filename  = optional(string)
    s3_bucket = optional(string)
    s3_key    = optional(string)
  })

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.artifact.sha256))
    error_message = "artifact.sha256 must be 64 lower-case hexadecimal digits."
  }

  validation {
    condition = (
      var.artifact.filename != null
      ? var.artifact.s3_bucket == null && var.artifact.s3_key == null
      : var.artifact.s3_bucket != null && var.artifact.s3_key != null
    )
    error_message = "artifact must have either filename, or s3_bucket and s3_key."
  }
}

variable "runtime" {
  description = "Runtime of Lambda: provided.al2023 for a binary, or a runtime of Node.js or Python (such as nodejs22.x, python3.13)."
  type        = string
  default     = "provided.al2023"

  validation {
    condition     = can(regex("^(provided\\.al2023|nodejs[0-9]+\\.x|python3\\.[0-9]+)$", var.runtime))
    error_message = "runtime must be provided.al2023, nodejs<major>.x or python3.<minor>."
  }
}

variable "handler" {
  description = "Entry point of the code: bootstrap for a binary, or `<file>.<function>` in the zip."
  type        = string
  default     = "bootstrap"

  validation {
    condition     = can(regex("^[^[:space:]]{1,128}$", var.handler))
    error_message = "handler must have 1 to 128 characters without spaces."
  }
}

variable "architecture" {
  description = "Processor that the binary was built for: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_size_mb" {
  description = "Memory (128 to 10240); CPU grows with it."
  type        = number
  default     = 256

  validation {
    condition     = var.memory_size_mb >= 128 && var.memory_size_mb <= 10240 && floor(var.memory_size_mb) == var.memory_size_mb
    error_message = "memory_size_mb must be a whole number from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "Time-out of one invocation (1 to 900). Behind API Gateway at most 29 s are of use."
  type        = number
  default     = 10

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds must be a whole number from 1 to 900."
  }
}

variable "reserved_concurrency" {
  description = "Executions reserved for (and most allowed to) this function; null for none. New accounts often have too few to reserve any: 100 must stay unreserved."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 0
    error_message = "reserved_concurrency must be null, or 0 or more (0 stops the function)."
  }
}

variable "environment" {
  description = "Environment variables. Do not put secrets here: every caller that may describe the function can read them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Za-z][A-Za-z0-9_]*$", name))]) && length(setintersection(keys(var.environment), ["AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT"])) == 0
    error_message = "environment must have names of letters, digits and '_' that start with a letter, and none of those that Lambda sets itself."
  }

  validation {
    condition     = sum(concat([0], [for name, value in var.environment : length(name) + length(value)])) <= 4096
    error_message = "environment must have at most 4096 characters, names and values together: Lambda takes no more."
  }
}

variable "permissions" {
  description = "Permissions of the function besides its own logs and its event sources, by statement id. Each has actions, resources and conditions (values by operator and key). Wildcards in actions and a bare \"*\" resource are refused."
  type = map(object({
    actions    = set(string)
    resources  = set(string)
    conditions = optional(map(map(list(string))), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for sid in keys(var.permissions) : can(regex("^[A-Za-z0-9]+$", sid))])
    error_message = "permissions must have statement ids of letters and digits."
  }

  validation {
    condition     = alltrue(flatten([for permission in values(var.permissions) : [for action in permission.actions : can(regex("^[a-z0-9-]+:[A-Za-z]+$", action))]]))
    error_message = "permissions.actions must name single actions, such as dynamodb:GetItem, without '*'."
  }

  validation {
    condition     = alltrue(flatten([for permission in values(var.permissions) : [for resource in permission.resources : startswith(resource, "arn:")]]))
    error_message = "permissions.resources must be ARNs; a bare \"*\" is refused."
  }

  validation {
    condition     = alltrue([for permission in values(var.permissions) : length(permission.actions) > 0])
    error_message = "permissions.actions must not be empty."
  }
}

variable "policies" {
  description = "Further policy documents of the role (JSON), by a name of letters and digits, such as the outputs `policy_documents` of the other modules. The rules of `permissions` apply to them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, document in var.policies : can(regex("^[A-Za-z0-9]+$", name)) && can([for statement in flatten([jsondecode(document).Statement]) : [statement.Effect, statement.Action, statement.Resource]])])
    error_message = "policies must be named by letters and digits, and be policy documents (JSON) whose statements have Effect, Action and Resource."
  }

  validation {
    condition = alltrue(flatten([for document in values(var.policies) : [for statement in try(flatten([jsondecode(document).Statement]), []) : try(
      statement.Effect == "Deny" || alltrue(concat(
        [for action in flatten([statement.Action]) : can(regex("^[a-z0-9-]+:[A-Za-z]+$", action))],
        [for resource in flatten([statement.Resource]) : startswith(resource, "arn:")],
      )), true)
    ]]))
    error_message = "policies must name single actions, such as dynamodb:GetItem, and ARNs of resources; '*' in an action and a bare \"*\" are refused."
  }
}

variable "layers" {
  description = "Layers of the function (ARNs with a version), such as an agent that runs beside it. At most 5."
  type        = list(string)
  default     = null

  validation {
    condition     = var.layers == null ? true : length(var.layers) <= 5 && alltrue([for arn in var.layers : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", arn))])
    error_message = "layers must be at most 5 ARNs of layers with their version (arn:aws:lambda:…:layer:<name>:<version>)."
  }
}

variable "ephemeral_storage_mb" {
  description = "Size of /tmp (512 to 10240). AWS charges what is above 512."
  type        = number
  default     = 512

  validation {
    condition     = var.ephemeral_storage_mb >= 512 && var.ephemeral_storage_mb <= 10240 && floor(var.ephemeral_storage_mb) == var.ephemeral_storage_mb
    error_message = "ephemeral_storage_mb must be a whole number from 512 to 10240."
  }
}

variable "provisioned_concurrency" {
  description = "Environments that Lambda keeps initialised for the alias, at a cost by the hour; null for none. They count towards reserved_concurrency."
  type        = number
  default     = null

  validation {
    condition     = var.provisioned_concurrency == null ? true : var.provisioned_concurrency >= 1 && floor(var.provisioned_concurrency) == var.provisioned_concurrency && var.provisioned_concurrency <= coalesce(var.reserved_concurrency, var.provisioned_concurrency)
    error_message = "provisioned_concurrency must be a whole number of 1 or more, at most reserved_concurrency where that is set; null for none."
  }

  validation {
    condition     = var.provisioned_concurrency == null || var.alias_owner != "none"
    error_message = "provisioned_concurrency must be null with alias_owner = \"none\": Lambda keeps environments of a version or an alias only."
  }
}

variable "system_log_level" {
  description = "Lowest level of the lines that Lambda itself logs (start, report, errors of the runtime): DEBUG, INFO or WARN. Null for AWS's default, INFO. Reports of duration and memory are at INFO."
  type        = string
  default     = null

  validation {
    condition     = var.system_log_level == null ? true : contains(["DEBUG", "INFO", "WARN"], var.system_log_level)
    error_message = "system_log_level must be DEBUG, INFO or WARN, or null."
  }
}

variable "application_log_level" {
  description = "Lowest level of the function's own log lines that Lambda passes on: TRACE, DEBUG or INFO. Lambda drops lines below it. A higher level would drop embedded metrics, which have none and count as INFO."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO"], var.application_log_level)
    error_message = "application_log_level must be TRACE, DEBUG or INFO: above INFO, Lambda drops the function's metrics."
  }
}

variable "recursive_loop_allowed" {
  description = "Whether the function may send itself work through a queue more than about 16 times in one chain. Lambda otherwise stops the chain and drops the message. The function must bound each chain itself."
  type        = bool
  default     = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a policy, or null."
  }
}

variable "invoke_permissions" {
  description = "Callers of the function, by statement id: a service principal for exactly one source ARN (wildcards allowed inside it)."
  type = map(object({
    principal      = string
    source_arn     = string
    source_account = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for permission in values(var.invoke_permissions) : permission.source_arn == null ? false : startswith(permission.source_arn, "arn:")])
    error_message = "invoke_permissions.source_arn must be an ARN: without one, any account's resources of that service could call the function."
  }

  validation {
    condition     = alltrue([for permission in values(var.invoke_permissions) : endswith(permission.principal, ".amazonaws.com")])
    error_message = "invoke_permissions.principal must be a service principal such as apigateway.amazonaws.com."
  }
}

variable "queue_sources" {
  description = "SQS queues the function reads, by name. Failures are reported per record; the permissions to read are added."
  type = map(object({
    queue_arn               = string
    batch_size              = optional(number, 10)
    batching_window_seconds = optional(number, 0)
    maximum_concurrency     = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for source in values(var.queue_sources) : source.maximum_concurrency == null ? true : source.maximum_concurrency >= 2 && source.maximum_concurrency <= 1000])
    error_message = "queue_sources.maximum_concurrency must be null or 2 to 1000."
  }

  validation {
    condition     = alltrue([for source in values(var.queue_sources) : source.batch_size >= 1 && source.batch_size <= (source.batching_window_seconds >= 1 ? 10000 : 10)])
    error_message = "queue_sources.batch_size must be 1 to 10 (to 10000 with batching_window_seconds of at least 1)."
  }

  validation {
    condition     = alltrue([for source in values(var.queue_sources) : can(regex("^arn:[a-z-]+:sqs:", source.queue_arn))])
    error_message = "queue_sources.queue_arn must be the ARN of a queue."
  }

  validation {
    condition     = alltrue([for source in values(var.queue_sources) : endswith(source.queue_arn, ".fifo") ? source.batching_window_seconds == 0 : true])
    error_message = "queue_sources.batching_window_seconds must be 0 for a FIFO queue: Lambda supports none there."
  }
}

variable "stream_sources" {
  description = "DynamoDB streams that the function reads, by name. Batches are bisected, failures are reported per record, and records that still fail go to the on-failure queue. The permissions are added."
  type = map(object({
    stream_arn                 = string
    on_failure_queue_arn       = string
    starting_position          = optional(string, "TRIM_HORIZON")
    batch_size                 = optional(number, 10)
    batching_window_seconds    = optional(number, 0)
    parallelization_factor     = optional(number, 1)
    maximum_retry_attempts     = optional(number, 5)
    maximum_record_age_seconds = optional(number, 3600)
    filter_patterns            = optional(list(string), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for source in values(var.stream_sources) : contains(["TRIM_HORIZON", "LATEST"], source.starting_position)])
    error_message = "stream_sources.starting_position must be TRIM_HORIZON or LATEST."
  }

  validation {
    condition     = alltrue([for source in values(var.stream_sources) : source.maximum_retry_attempts >= 0 && source.maximum_retry_attempts <= 10000])
    error_message = "stream_sources.maximum_retry_attempts must be 0 to 10000: without a limit one bad record blocks its shard for a day."
  }

  validation {
    condition     = alltrue([for source in values(var.stream_sources) : source.maximum_record_age_seconds >= 60 && source.maximum_record_age_seconds <= 86400])
    error_message = "stream_sources.maximum_record_age_seconds must be 60 to 86400 (a stream keeps 24 h)."
  }

  validation {
    condition     = alltrue([for source in values(var.stream_sources) : source.parallelization_factor >= 1 && source.parallelization_factor <= 10])
    error_message = "stream_sources.parallelization_factor must be 1 to 10."
  }

  validation {
    condition     = alltrue([for source in values(var.stream_sources) : can(regex("^arn:[a-z-]+:dynamodb:.+/stream/.+$", source.stream_arn)) && can(regex("^arn:[a-z-]+:sqs:", source.on_failure_queue_arn))])
    error_message = "stream_sources must have the ARN of a table's stream, and of a queue for what fails."
  }

  validation {
    condition     = alltrue([for source in values(var.stream_sources) : source.batch_size >= 1 && source.batch_size <= 10000 && source.batching_window_seconds >= 0 && source.batching_window_seconds <= 300])
    error_message = "stream_sources.batch_size must be 1 to 10000, and batching_window_seconds 0 to 300."
  }
}

variable "vpc" {
  description = "Subnets and security groups of the function; null to run outside any VPC."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition     = var.vpc == null ? true : length(var.vpc.subnet_ids) > 0 && length(var.vpc.security_group_ids) > 0
    error_message = "vpc must have at least one subnet and one security group."
  }
}

variable "alias_owner" {
  description = "Owner of the alias: none (no versions, no alias), terraform (the alias points at the newest version), or deployer (Terraform creates it and ignores its target)."
  type        = string
  default     = "terraform"

  validation {
    condition     = contains(["none", "terraform", "deployer"], var.alias_owner)
    error_message = "alias_owner must be none, terraform or deployer."
  }
}

variable "alias_name" {
  description = "Name of the alias."
  type        = string
  default     = "live"

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,128}$", var.alias_name)) && !can(regex("^[0-9]+$", var.alias_name))
    error_message = "alias_name must have 1 to 128 characters out of a-z, A-Z, 0-9, '_' and '-', and must not be a number."
  }
}

variable "code_signing_config_arn" {
  description = "Code-signing configuration of AWS Signer that the function must satisfy; null for none. Then only the artifact's hash in the release manifest identifies the code."
  type        = string
  default     = null

  validation {
    condition     = var.code_signing_config_arn == null ? true : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:code-signing-config:csc-[a-z0-9]+$", var.code_signing_config_arn))
    error_message = "code_signing_config_arn must be the ARN of a code-signing configuration, or null."
  }
}

variable "tracing_enabled" {
  description = "Whether X-Ray traces the function (adds the two X-Ray actions, which need resource \"*\")."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Retention of the logs; one of the values that CloudWatch allows, never unlimited."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a value that CloudWatch Logs allows. These are 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for environment, logs, and the data the function reads and writes; null for AWS-owned keys."
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
