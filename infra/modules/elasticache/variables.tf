variable "create" {
  description = "Whether to create the cache; false is the same as mode none."
  type        = bool
  default     = true
}

variable "mode" {
  description = "none, serverless (from 100 MB, scales automatically), or node (fixed size and cost)."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "serverless", "node"], var.mode)
    error_message = "mode must be none, serverless or node."
  }
}

variable "name" {
  description = "Name of the cache and prefix of its users."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", join("-", compact([var.name_prefix, var.name])))) && !strcontains(join("-", compact([var.name_prefix, var.name])), "--") && !endswith(join("-", compact([var.name_prefix, var.name])), "-")
    error_message = "name (after name_prefix) must have 1 to 32 characters: a-z, 0-9 and single '-', starting with a letter and not ending with '-'."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "engine" {
  description = "valkey (cheaper, from 100 MB) or redis."
  type        = string
  default     = "valkey"

  validation {
    condition     = contains(["valkey", "redis"], var.engine)
    error_message = "engine must be valkey or redis."
  }
}

variable "vpc_id" {
  description = "VPC of the cache; not needed with mode none."
  type        = string
  default     = null

  validation {
    condition     = var.mode == "none" || try(startswith(var.vpc_id, "vpc-"), false)
    error_message = "vpc_id must be given (vpc-…) unless mode is none."
  }
}

variable "subnet_ids" {
  description = "Subnets of the cache, in at least two zones; not needed with mode none."
  type        = list(string)
  default     = []

  validation {
    condition     = var.mode == "none" || length(distinct(var.subnet_ids)) >= 2 && alltrue([for id in var.subnet_ids : startswith(id, "subnet-")])
    error_message = "subnet_ids must be at least two subnets (subnet-…) unless mode is none."
  }
}

variable "caller_security_group_ids" {
  description = "Security groups that may connect, by a name for the rule."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = var.mode == "none" || length(var.caller_security_group_ids) > 0 && alltrue([for id in values(var.caller_security_group_ids) : startswith(id, "sg-")])
    error_message = "caller_security_group_ids must have at least one group (sg-…), because a cache without callers has no use."
  }
}

variable "key_pattern" {
  description = "Keys the user may touch, as an ACL pattern (`~` before it is added): `app:*`, or `s:{*` for keys with a hash tag."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9:_{}-]*\\*$", var.key_pattern))
    error_message = "key_pattern must be a prefix of letters, digits and ':_-{}', not empty, with '*' at its end."
  }
}

variable "commands" {
  description = "Commands that the user may send, including those of scripts, such as `get` or `cluster|slots`; nothing else is allowed. A command that the engine does not know is refused when the user is created."
  type        = list(string)
  default     = ["get", "set", "del", "ping", "cluster|slots"]

  validation {
    condition     = length(var.commands) > 0 && alltrue([for command in var.commands : can(regex("^[a-z]+(\\|[a-z-]+)?$", command))])
    error_message = "commands must be names of commands in lower case, without '+', '@' or '*'; at least one."
  }

  validation {
    condition     = length(setintersection(var.commands, ["acl", "client", "cluster", "config", "debug", "failover", "flushall", "flushdb", "keys", "migrate", "module", "monitor", "replicaof", "restore", "shutdown", "slaveof", "swapdb", "sync", "psync"])) == 0
    error_message = "commands must not hold one that changes the server or reads all keys; of client and cluster, name a subcommand."
  }
}

variable "serverless" {
  description = "Maximum data (GB) and work (ECPU a second) of a serverless cache, which limit its cost."
  type = object({
    max_data_gb         = optional(number, 1)
    max_ecpu_per_second = optional(number, 5000)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.serverless.max_data_gb >= 1 && var.serverless.max_data_gb <= 5000
    error_message = "serverless.max_data_gb must be 1 to 5000."
  }

  validation {
    condition     = var.serverless.max_ecpu_per_second >= 1000 && var.serverless.max_ecpu_per_second <= 15000000
    error_message = "serverless.max_ecpu_per_second must be 1000 to 15000000."
  }
}

variable "node" {
  description = "Size of a node-based cache: node type, shards, and replicas of each shard (0 for no failover). `parameters` are those that differ from AWS's defaults, by name. `maintenance_window` is weekly and in UTC (sun:05:00-sun:06:00), and null lets AWS choose. `log_delivery` sends slow-log and engine-log to a log group (cloudwatch-logs) or a stream of Firehose (kinesis-firehose), by name. The slow log holds names of keys."
  type = object({
    type               = optional(string, "cache.t4g.micro")
    shards             = optional(number, 1)
    replicas_per_shard = optional(number, 1)
    parameters         = optional(map(string), {})
    maintenance_window = optional(string)
    log_delivery = optional(map(object({
      destination_type = optional(string, "cloudwatch-logs")
      destination      = string
    })), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = startswith(var.node.type, "cache.")
    error_message = "node.type must be an ElastiCache node type such as cache.t4g.micro."
  }

  validation {
    condition     = var.node.shards >= 1 && var.node.shards <= 90 && var.node.replicas_per_shard >= 0 && var.node.replicas_per_shard <= 5
    error_message = "node.shards must be 1 to 90 and node.replicas_per_shard 0 to 5."
  }

  validation {
    condition     = alltrue([for name in keys(var.node.parameters) : can(regex("^[a-z0-9-]+$", name)) && name != "cluster-enabled"])
    error_message = "node.parameters must be names of parameters, such as maxmemory-policy. The number of shards decides about cluster-enabled."
  }

  validation {
    condition     = var.node.maintenance_window == null ? true : can(regex("^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]$", var.node.maintenance_window))
    error_message = "node.maintenance_window must be days and times in UTC, such as sun:05:00-sun:06:00 (at least an hour), or null."
  }

  validation {
    condition     = alltrue([for type, log in var.node.log_delivery : contains(["slow-log", "engine-log"], type) && contains(["cloudwatch-logs", "kinesis-firehose"], log.destination_type) && length(log.destination) > 0])
    error_message = "node.log_delivery must have slow-log or engine-log, each with a destination_type of cloudwatch-logs or kinesis-firehose and the destination's name."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for encryption at rest; null for the key that ElastiCache owns."
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
