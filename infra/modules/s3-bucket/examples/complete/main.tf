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
  source = "../../../kms"

  name                 = "example-bucket"
  deletion_window_days = 7
}

module "bucket" {
  source = "../.."

  name_prefix                        = "team"
  name                               = "example-encrypted-bucket"
  kms_key_arn                        = module.key.arn
  noncurrent_version_expiration_days = 30
  force_destroy                      = true
  tags                               = { project = "shop" }
}

output "read_policy" {
  description = "Policy document for readers."
  value       = module.bucket.policy_documents.read
}
