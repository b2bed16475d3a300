variable "stack" {
  description = "Name of the stack, which is the last part of its alarms' names and the tag `stack`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.stack))
    error_message = "stack must have 1 to 20 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "env" {
  description = "Name of the environment: local, staging, production, or your own."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.env))
    error_message = "env must have 1 to 20 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "name_prefix" {
  description = "Prefix of all names; null for holdfast-<env>."
  type        = string
  default     = null

  validation {
    condition     = var.name_prefix == null ? true : can(regex("^[a-z][a-z0-9-]{0,39}$", var.name_prefix))
    error_message = "name_prefix must have 1 to 40 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "local_endpoint" {
  description = "Address of the local cloud (http://127.0.0.1:<port>); empty on AWS. All behaviour of the local environment alone depends on it."
  type        = string
  default     = ""

  validation {
    condition     = var.local_endpoint == "" || can(regex("^http://(127\\.0\\.0\\.1|localhost):[0-9]+$", var.local_endpoint))
    error_message = "local_endpoint must be empty, or http://127.0.0.1:<port> without a slash at the end."
  }
}

variable "tags" {
  description = "Tags of all resources in the stack, in addition to project, environment and stack."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}

variable "inputs" {
  description = "Parameters of other stacks that this stack reads, as <stack>/<name>."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.inputs : can(regex("^[a-z0-9-]+/[a-z0-9-]+$", name))])
    error_message = "inputs must be names such as platform/sessions-table-name."
  }
}

variable "catalogue_file" {
  description = "JSON file of the functions (services/functions.json), from which the module reads the stack's routes; null for a stack without functions."
  type        = string
  default     = null

  validation {
    condition     = var.catalogue_file == null ? true : can([for entry in values(jsondecode(file(var.catalogue_file))) : entry.stack])
    error_message = "catalogue_file must be a readable JSON object whose entries name their stack."
  }
}

variable "artifacts_bucket" {
  description = "Bucket that holds the functions' zips, filled by the release process; empty only on the local cloud, where the stack platform creates one."
  type        = string
  default     = ""

  validation {
    condition     = var.artifacts_bucket != "" || var.local_endpoint != ""
    error_message = "artifacts_bucket must be given on AWS (make bootstrap creates it)."
  }
}

variable "alias_owner" {
  description = "Owner of the functions' alias `live` on AWS: terraform (moves it at once, when a version is published) or deployer (`make deploy` shifts it by a canary). The local cloud does not route by weights and has none."
  type        = string
  default     = "terraform"

  validation {
    condition     = contains(["none", "terraform", "deployer"], var.alias_owner)
    error_message = "alias_owner must be none, terraform or deployer."
  }
}

variable "permissions_boundary" {
  description = "Whether roles get the boundary `<name_prefix>-boundary` that make bootstrap creates. A pipeline may create no role without it. It is off only without a bootstrap, on the local cloud."
  type        = bool
  default     = true
}

variable "runbooks_url" {
  description = "Address of docs/runbooks, without a slash at the end; alarms link to it. Null for the path in the repository."
  type        = string
  default     = null

  validation {
    condition     = var.runbooks_url == null ? true : can(regex("^https://[^ ]+[^ /]$", var.runbooks_url))
    error_message = "runbooks_url must be an https address without a slash at the end."
  }
}

variable "allowed_origins" {
  description = "Origins (https://app.example.com) whose pages may call the API, also with cookies, and open sockets; empty for none. Clients that are not browsers need none."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for origin in var.allowed_origins :
      can(regex("^https?://([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\\[[0-9a-f:]+\\])(:[1-9][0-9]{0,4})?$", origin)) && !can(regex("^(http:.*:80|https:.*:443)$", origin))
    ])
    error_message = "allowed_origins must be origins as browsers send them, such as https://app.example.com: scheme, host in lower case, a port only if it is not the scheme's own, no path, no '*'."
  }

  validation {
    condition = alltrue([
      for origin in var.allowed_origins :
      startswith(origin, "https://") || (var.env != "production" && can(regex("^http://(localhost|127[.]0[.]0[.]1|\\[::1\\])(:[0-9]+)?$", origin))) || (var.env == "local" && var.local_endpoint != "")
    ])
    error_message = "allowed_origins must start with https://. An attacker on the network can change a page that is loaded over http, and that page could then act for the user. Outside production, http://localhost, http://127.0.0.1 and http://[::1] are allowed, and with ENV=local every http:// origin."
  }
}

variable "trusted_proxy" {
  description = "Proxy in front of the HTTP API that names the client's address: none or cloudfront. With none, the API sees the client. With cloudfront, CloudFront's viewer address counts in requests that carry the origin secret."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "cloudfront"], var.trusted_proxy)
    error_message = "trusted_proxy must be none or cloudfront."
  }
}

variable "origin_secret_sha256" {
  description = "SHA-256 (64 hexadecimal digits) of the secret header that CloudFront adds to requests; empty unless trusted_proxy is cloudfront. Terraform never gets the secret."
  type        = string
  default     = ""

  validation {
    condition     = var.origin_secret_sha256 == "" || can(regex("^[0-9a-f]{64}$", var.origin_secret_sha256))
    error_message = "origin_secret_sha256 must be empty, or 64 hexadecimal digits in lower case."
  }

  validation {
    condition     = (var.origin_secret_sha256 != "") == (var.trusted_proxy == "cloudfront")
    error_message = "origin_secret_sha256 must be given with trusted_proxy cloudfront, and only then. Without it any client could name any address."
  }
}

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

variable "published_cache" {
  description = "Location of the cache on AWS, for the stack that creates the cache and publishes its parameters; null for a stack that reads these parameters."
  type        = map(string)
  default     = null

  validation {
    condition     = var.published_cache == null ? true : length(var.published_cache) == 0 || length(setsubtract(["cache-cluster", "cache-connect-arns", "cache-name", "cache-serverless", "cache-url", "cache-user", "network-functions-security-group-id", "network-subnet-ids"], keys(var.published_cache))) == 0
    error_message = "published_cache must be empty, or have cache-cluster, cache-connect-arns, cache-name, cache-serverless, cache-url, cache-user, network-functions-security-group-id and network-subnet-ids."
  }
}

variable "max_sessions_per_user" {
  description = "Sessions that a user may have at once; one more ends the least recently used."
  type        = number
  default     = 5

  validation {
    condition     = var.max_sessions_per_user >= 1 && var.max_sessions_per_user <= 10 && floor(var.max_sessions_per_user) == var.max_sessions_per_user
    error_message = "max_sessions_per_user must be a whole number from 1 to 10."
  }
}

variable "access_token_ttl_seconds" {
  description = "Life of an access token."
  type        = number
  default     = 900

  validation {
    condition     = var.access_token_ttl_seconds >= 1 && var.access_token_ttl_seconds <= var.session_idle_seconds && floor(var.access_token_ttl_seconds) == var.access_token_ttl_seconds
    error_message = "access_token_ttl_seconds must be a whole number from 1 to session_idle_seconds."
  }
}

variable "session_idle_seconds" {
  description = "Idle lifetime of a session: it ends after this time without a refresh."
  type        = number
  default     = 3600

  validation {
    condition     = var.session_idle_seconds >= 1 && var.session_idle_seconds <= var.session_absolute_seconds && floor(var.session_idle_seconds) == var.session_idle_seconds
    error_message = "session_idle_seconds must be a whole number from 1 to session_absolute_seconds."
  }
}

variable "session_absolute_seconds" {
  description = "Absolute lifetime of a session."
  type        = number
  default     = 86400

  validation {
    condition     = var.session_absolute_seconds >= 1 && var.session_absolute_seconds <= 31536000 && floor(var.session_absolute_seconds) == var.session_absolute_seconds
    error_message = "session_absolute_seconds must be a whole number from 1 to 31536000 (a year)."
  }
}

variable "stay_signed_in_idle_seconds" {
  description = "Idle lifetime of a session with \"stay signed in\"."
  type        = number
  default     = 1209600

  validation {
    condition     = var.stay_signed_in_idle_seconds >= 1 && var.stay_signed_in_idle_seconds <= var.stay_signed_in_absolute_seconds && floor(var.stay_signed_in_idle_seconds) == var.stay_signed_in_idle_seconds
    error_message = "stay_signed_in_idle_seconds must be a whole number from 1 to stay_signed_in_absolute_seconds."
  }
}

variable "stay_signed_in_absolute_seconds" {
  description = "Absolute lifetime of a session with \"stay signed in\"."
  type        = number
  default     = 2592000

  validation {
    condition     = var.stay_signed_in_absolute_seconds >= 1 && var.stay_signed_in_absolute_seconds <= 31536000 && floor(var.stay_signed_in_absolute_seconds) == var.stay_signed_in_absolute_seconds
    error_message = "stay_signed_in_absolute_seconds must be a whole number from 1 to 31536000 (a year)."
  }
}

variable "refresh_grace_seconds" {
  description = "Grace of a refresh: time in which a refresh token that was already used returns the same new pair."
  type        = number
  default     = 10

  validation {
    condition     = var.refresh_grace_seconds >= 0 && var.refresh_grace_seconds <= 60 && floor(var.refresh_grace_seconds) == var.refresh_grace_seconds
    error_message = "refresh_grace_seconds must be a whole number from 0 to 60."
  }
}

variable "cache_max_age_seconds" {
  description = "Longest time for which a cached session is used without a read of the table."
  type        = number
  default     = 60

  validation {
    condition     = var.cache_max_age_seconds >= 1 && var.cache_max_age_seconds <= 3600 && floor(var.cache_max_age_seconds) == var.cache_max_age_seconds
    error_message = "cache_max_age_seconds must be a whole number from 1 to 3600."
  }
}
