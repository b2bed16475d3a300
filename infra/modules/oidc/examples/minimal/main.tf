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

module "pipelines" {
  source = "../.."

  name_prefix = "example"
  repository  = "owner/name"

  roles = {
    plan = {
      subjects            = ["pull_request"]
      managed_policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    }
  }
}

output "role_arns" {
  description = "Roles for the workflows."
  value       = module.pipelines.role_arns
}
