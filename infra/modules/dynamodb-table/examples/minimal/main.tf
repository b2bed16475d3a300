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
  source = "../.."

  name     = "example"
  hash_key = { name = "id" }

  # So that an example can be taken away again; leave it on for what matters.
  deletion_protection_enabled = false
}

output "arn" {
  description = "ARN of the table."
  value       = module.table.arn
}
