terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.96, < 7"
    }
  }
}

# Region and credentials come from the environment.
provider "aws" {}

module "table" {
  source = "../../../dynamodb-table"

  name                        = "example-cached"
  hash_key                    = { name = "id" }
  deletion_protection_enabled = false
}

module "network" {
  source = "../../../network"

  name                = "example-cached"
  availability_zones  = ["us-east-1a", "us-east-1b"]
  dynamodb_table_arns = [module.table.arn]
}

module "cache" {
  source = "../.."

  mode                      = "node"
  name                      = "example-cached"
  engine                    = "valkey"
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.subnet_ids
  caller_security_group_ids = { functions = module.network.functions_security_group_id }
  key_pattern               = "app:*"
  commands                  = ["get", "set", "del", "ping"]

  node = {
    type               = "cache.t4g.small"
    shards             = 1
    replicas_per_shard = 1
  }
}

output "connect_policy" {
  description = "Policy document for functions that connect."
  value       = module.cache.policy_documents.connect
}
