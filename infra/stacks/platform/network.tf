# The cache and the private network it needs: with cache_provider redis on AWS only. What costs money to keep is the cache itself, and the
# interface endpoint to KMS that the functions for second factors need in there (about 7.30 USD a month for each zone). There is no NAT.

variable "redis_keep" {
  description = "Whether the cache and its network stay although cache_provider is dynamodb. Set it while functions of other stacks still leave the network."
  type        = bool
  default     = false
}

variable "redis_mode" {
  description = "node (fixed size and cost) or serverless (scales automatically, from 100 MB). Null keeps the mode of a deployed cache, and creates a new cache of nodes. With a serverless cache, revocations are answered as bounded: AWS does not document whether such a cache shows the identity of its servers."
  type        = string
  default     = null

  validation {
    condition     = var.redis_mode == null ? true : contains(["serverless", "node"], var.redis_mode)
    error_message = "redis_mode must be serverless or node, or null."
  }
}

variable "redis_engine" {
  description = "valkey (cheaper, from 100 MB) or redis (Redis OSS, from 1 GB)."
  type        = string
  default     = "valkey"

  validation {
    condition     = contains(["valkey", "redis"], var.redis_engine)
    error_message = "redis_engine must be valkey or redis."
  }
}

variable "redis_serverless" {
  description = "Maximum data (GB) and work (ECPU a second) of a serverless cache, which limit its cost."
  type = object({
    max_data_gb         = optional(number, 1)
    max_ecpu_per_second = optional(number, 5000)
  })
  default  = {}
  nullable = false
}

variable "redis_node" {
  description = "Size of a node-based cache: node type, shards, and replicas of each shard (0 for no failover)."
  type = object({
    type               = optional(string, "cache.t4g.micro")
    shards             = optional(number, 1)
    replicas_per_shard = optional(number, 1)
  })
  default  = {}
  nullable = false
}

variable "availability_zones" {
  description = "Zones of the private network, at least two; empty for the first two zones that the account has in the Region."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.availability_zones) == 0 || length(distinct(var.availability_zones)) >= 2
    error_message = "availability_zones must be empty, or at least two different zones."
  }

  validation {
    condition     = alltrue([for zone in var.availability_zones : startswith(zone, var.region)])
    error_message = "availability_zones must be zones of the region."
  }
}

variable "network_cidr_block" {
  description = "Addresses of the private network (/16 to /24); it is peered with nothing."
  type        = string
  default     = "10.40.0.0/16"
}

# Not every account has every zone of a Region.
data "aws_availability_zones" "own" {
  #checkov:skip=CKV_AWS_394:The stack takes the first names of the list; availability_zones pins them

  for_each = local.has_cache && length(var.availability_zones) == 0 ? { this = true } : {}

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

# The mode of the cache that is deployed. Another default must not replace it.
data "aws_ssm_parameters_by_path" "deployed" {
  for_each = local.has_cache && var.redis_mode == null ? { this = true } : {}

  path = "${module.context.ssm_prefix}/platform"
}

locals {
  deployed_parameters = merge([for found in data.aws_ssm_parameters_by_path.deployed : zipmap(found.names, nonsensitive(found.values))]...)
  deployed_mode       = lookup(local.deployed_parameters, "${module.context.ssm_prefix}/platform/cache-serverless", "false") == "true" ? "serverless" : "node"
  redis_mode          = coalesce(var.redis_mode, local.deployed_mode)

  first_zones = flatten([for zones in data.aws_availability_zones.own : slice(sort(zones.names), 0, min(2, length(zones.names)))])
  zones       = length(var.availability_zones) > 0 ? var.availability_zones : local.has_cache ? local.first_zones : ["${var.region}a", "${var.region}b"]
}

locals {
  has_cache = !module.context.is_local && (module.context.cache_is_redis || var.redis_keep)

  # What other stacks need to know of it (and this one, through module.context).
  cache = local.has_cache ? {
    cache-cluster                       = tostring(module.cache.cluster_mode)
    cache-connect-arns                  = join(",", module.cache.connect_arns)
    cache-name                          = module.cache.name
    cache-serverless                    = tostring(module.cache.serverless)
    cache-url                           = module.cache.url
    cache-user                          = module.cache.user_name
    network-functions-security-group-id = module.network.functions_security_group_id
    network-subnet-ids                  = join(",", module.network.subnet_ids)
  } : {}
}

module "network" {
  source = "../../modules/network"

  create             = local.has_cache
  name               = module.context.name_prefix
  cidr_block         = var.network_cidr_block
  availability_zones = local.zones
  # The tables that the functions in the network use. All of them use sessions; sessions-admin alone deletes from the others.
  dynamodb_table_arns      = [module.sessions_table.arn, module.connections_table.arn, local.activity_table_arn]
  endpoint_kms_key_arns    = [module.mfa_key.arn]
  log_retention_days       = var.log_retention_days
  kms_key_arn              = local.kms_key_arn
  permissions_boundary_arn = module.context.permissions_boundary_arn
}

module "cache" {
  source = "../../modules/elasticache"

  mode                      = local.has_cache ? local.redis_mode : "none"
  name                      = module.context.name_prefix
  engine                    = var.redis_engine
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.subnet_ids
  caller_security_group_ids = local.has_cache ? { functions = module.network.functions_security_group_id } : {}
  serverless                = var.redis_serverless
  node                      = var.redis_node
  kms_key_arn               = local.kms_key_arn

  # What the scripts of holdfast-redis touch and call, and what its client sends by itself; `asking` while shards of a
  # cluster are moved. On a real server: scripts/tests/test_cache_user.py.
  key_pattern = "s:{*"
  commands    = concat(["eval", "evalsha", "fcall", "function|load", "get", "set", "del", "info", "time", "ping", "cluster|slots"], local.redis_mode == "node" && var.redis_node.shards > 1 ? ["asking"] : [])
}
