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

module "dashboard" {
  source = "../.."

  name_prefix        = "team"
  name               = "example-shop"
  functions          = { buy = "example-buy", relay = "example-relay" }
  queues             = { orders = "example-orders" }
  dead_letter_queues = { orders-dlq = "example-orders-dlq" }
  period_seconds     = 300
}

output "name" {
  description = "Name of the dashboard."
  value       = module.dashboard.name
}
