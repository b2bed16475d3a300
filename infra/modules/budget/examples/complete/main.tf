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

resource "aws_sns_topic" "spending" {
  name              = "example-spending"
  kms_master_key_id = "alias/aws/sns"
}

module "budget" {
  source = "../.."

  name_prefix          = "team"
  name                 = "example-shop"
  monthly_limit_usd    = 200
  notify_at_percent    = [50, 90]
  email_addresses      = ["team@example.com", "finance@example.com"]
  sns_topic_arns       = [aws_sns_topic.spending.arn]
  cost_allocation_tags = { project = "shop" }
  tags                 = { project = "shop" }
}

output "name" {
  description = "Name of the budget."
  value       = module.budget.name
}
