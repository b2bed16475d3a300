# Which cache stands before the truth: the same file in the stacks whose functions read or delete it (checked by test.sh).

variable "cache_provider" {
  description = "Where validated sessions are cached: dynamodb (no cache) or redis (locally; not deployable on AWS yet)."
  type        = string
  default     = "dynamodb"

  validation {
    condition     = contains(["dynamodb", "redis"], var.cache_provider)
    error_message = "cache_provider must be dynamodb or redis."
  }

  validation {
    condition     = var.cache_provider != "redis" || var.local_redis_url != ""
    error_message = "cache_provider must be dynamodb on AWS: redis is deployed to the local environment only, so far."
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
}

locals {
  cache_is_redis = var.cache_provider == "redis"

  # What every function gets that reads the cache or deletes from it.
  cache_environment = merge(
    { CACHE_PROVIDER = var.cache_provider },
    local.cache_is_redis ? { REDIS_URL = var.local_redis_url } : {},
  )
}
