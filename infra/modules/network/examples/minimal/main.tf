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

  name                        = "example-network"
  hash_key                    = { name = "id" }
  deletion_protection_enabled = false
}

module "network" {
  source = "../.."

  name                = "example"
  availability_zones  = ["us-east-1a", "us-east-1b"]
  dynamodb_table_arns = [module.table.arn]
}

output "subnet_ids" {
  description = "Subnets for functions and cache."
  value       = module.network.subnet_ids
}
