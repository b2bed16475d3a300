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

  name      = "example"
  functions = { login = "example-login" }
}

output "name" {
  description = "Name of the dashboard."
  value       = module.dashboard.name
}
