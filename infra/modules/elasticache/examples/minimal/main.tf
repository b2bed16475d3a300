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

  name                        = "example-cache-truth"
  hash_key                    = { name = "id" }
  deletion_protection_enabled = false
}

module "network" {
  source = "../../../network"

  name                = "example-cache"
  availability_zones  = ["us-east-1a", "us-east-1b"]
  dynamodb_table_arns = [module.table.arn]
}

module "cache" {
  source = "../.."

  mode                      = "serverless"
  name                      = "example"
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.subnet_ids
  caller_security_group_ids = { functions = module.network.functions_security_group_id }
  key_pattern               = "app:*"
}

output "url" {
  description = "Address of the cache."
  value       = module.cache.url
}
