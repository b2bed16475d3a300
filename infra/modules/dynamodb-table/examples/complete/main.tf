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

  name             = "example-orders"
  hash_key         = { name = "PK" }
  range_key        = { name = "SK" }
  ttl_attribute    = "ttl"
  stream_view_type = "NEW_AND_OLD_IMAGES"

  global_secondary_indexes = {
    GSI1 = {
      hash_key           = { name = "GSI1PK" }
      range_key          = { name = "GSI1SK" }
      projection_type    = "INCLUDE"
      non_key_attributes = ["total"]
    }
  }

  max_request_units           = { read = 1000, write = 500 }
  deletion_protection_enabled = false
  tags                        = { purpose = "example" }
}

output "stream_arn" {
  description = "ARN of the stream."
  value       = module.table.stream_arn
}

output "read_policy" {
  description = "Policy document for readers."
  value       = module.table.policy_documents.read
}
