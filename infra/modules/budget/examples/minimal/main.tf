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

module "budget" {
  source = "../.."

  name              = "example"
  monthly_limit_usd = 50
  email_addresses   = ["team@example.com"]
}

output "name" {
  description = "Name of the budget."
  value       = module.budget.name
}
