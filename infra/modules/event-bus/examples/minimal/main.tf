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

module "bus" {
  source = "../.."

  name = "example"
}

output "arn" {
  description = "ARN of the bus."
  value       = module.bus.arn
}
