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

  name                        = "example-reached"
  hash_key                    = { name = "id" }
  deletion_protection_enabled = false
}

module "network" {
  source = "../.."

  name_prefix         = "team"
  name                = "example-private"
  cidr_block          = "10.99.0.0/20"
  subnet_newbits      = 3
  availability_zones  = ["us-east-1a", "us-east-1b", "us-east-1c"]
  dynamodb_table_arns = [module.table.arn]
  flow_logs_enabled   = true
  log_retention_days  = 7
  tags                = { project = "shop" }
}

output "functions_security_group_id" {
  description = "Security group for functions."
  value       = module.network.functions_security_group_id
}
