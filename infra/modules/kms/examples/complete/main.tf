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

module "key" {
  source = "../.."

  name_prefix          = "team"
  name                 = "example-shop"
  rotation_period_days = 180
  deletion_window_days = 7
  tags                 = { project = "shop" }
}

module "table" {
  source = "../../../dynamodb-table"

  name                        = "example-encrypted"
  hash_key                    = { name = "id" }
  kms_key_arn                 = module.key.arn
  deletion_protection_enabled = false
}

output "use_policy" {
  description = "Policy document for those that read and write what the key encrypts."
  value       = module.key.policy_documents.use
}
