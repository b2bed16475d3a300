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

module "api" {
  source = "../.."

  name = "example"
}

output "endpoint" {
  description = "Address of the API."
  value       = module.api.endpoint
}
