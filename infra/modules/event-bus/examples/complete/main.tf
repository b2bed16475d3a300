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

  name                 = "example-bus"
  deletion_window_days = 7
}

module "bus" {
  source = "../.."

  name_prefix            = "team"
  name                   = "example-shop"
  archive_retention_days = 30
  kms_key_arn            = module.key.arn
  tags                   = { project = "shop" }
}

output "publish_policy" {
  description = "Policy document for those that publish."
  value       = module.bus.policy_documents.publish
}
