# Which cache stands before the truth: the same file in the stacks whose functions read or delete it (checked by test.sh).
# `local.cache` says where it is on AWS: platform makes it (network.tf), the others read it (cache_input.tf).

variable "cache_provider" {
  description = "Cache of validated sessions: dynamodb (no cache, no network) or redis (on AWS, ElastiCache in a private network; docs/cache-switching.md)."
  type        = string
  default     = "dynamodb"

  validation {
    condition     = contains(["dynamodb", "redis"], var.cache_provider)
    error_message = "cache_provider must be dynamodb or redis."
  }

  validation {
    condition     = var.cache_provider != "redis" || var.local_endpoint == "" || var.local_redis_url != ""
    error_message = "cache_provider must be dynamodb in the local environment unless local_redis_url says where redis is."
  }
}

variable "redis_delete_only" {
  description = "Whether functions delete from the cache but neither read nor fill it, with cache_provider redis. It is the step between the two providers, in both directions."
  type        = bool
  default     = false

  validation {
    condition     = !var.redis_delete_only || var.cache_provider == "redis"
    error_message = "redis_delete_only must be false unless cache_provider is redis: there is nothing to delete from."
  }
}

variable "local_redis_url" {
  description = "Address of the local redis-server (redis://127.0.0.1:<port>/0); empty on AWS."
  type        = string
  default     = ""

  validation {
    condition     = var.local_redis_url == "" || can(regex("^redis://127\\.0\\.0\\.1:[0-9]+/0$", var.local_redis_url))
    error_message = "local_redis_url must be empty, or redis://127.0.0.1:<port>/0."
  }

  validation {
    condition     = var.local_redis_url == "" || var.local_endpoint != ""
    error_message = "local_redis_url must be empty on AWS: the stack platform makes the cache."
  }
}

locals {
  cache_is_redis = var.cache_provider == "redis"

  # On AWS it is in a network of its own; the local one is a process beside the local cloud.
  cache_is_private = local.cache_is_redis && var.local_endpoint == ""

  # What every function gets that reads the cache or deletes from it. A server's address without the provider `redis`
  # means delete only.
  cache_environment = merge(
    { CACHE_PROVIDER = var.redis_delete_only ? "dynamodb" : var.cache_provider },
    local.cache_is_redis && !local.cache_is_private ? { REDIS_URL = var.local_redis_url } : {},
    local.cache_is_private ? {
      REDIS_URL            = local.cache["cache-url"]
      REDIS_CLUSTER        = local.cache["cache-cluster"]
      REDIS_IAM_USER       = local.cache["cache-user"]
      REDIS_IAM_CACHE      = local.cache["cache-name"]
      REDIS_IAM_SERVERLESS = local.cache["cache-serverless"]
    } : {},
  )

  # Those functions run in the cache's network, and may connect as the one user it has. No other function does either.
  private_cache = local.cache_is_private ? {
    subnet_ids         = split(",", local.cache["network-subnet-ids"])
    security_group_ids = [local.cache["network-functions-security-group-id"]]
    connect_arns       = split(",", local.cache["cache-connect-arns"])
    # The network has an interface endpoint to KMS, for the functions that read the secrets of second factors.
    endpoint_services = ["kms"]
  } : null
}
