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

data "aws_caller_identity" "current" {}

module "artifacts" {
  source = "../../../s3-bucket"

  name          = "example-artifacts-of-pipelines"
  force_destroy = true
}

module "pipelines" {
  source = "../.."

  name_prefix = "team-example"
  repository  = "owner/name"

  # In an account that has GitHub's provider already: there can be one only.
  create_provider = false
  provider_arn    = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:oidc-provider/token.actions.githubusercontent.com"

  tags = { project = "shop" }

  roles = {
    plan = {
      description         = "Plans for pull requests, looks for drift on main."
      subjects            = ["pull_request", "ref:refs/heads/main"]
      managed_policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    }
    deploy = {
      description = "Uploads artifacts."
      subjects    = ["environment:production"]
      policy_json = module.artifacts.policy_documents.write
    }
  }
}

output "role_arns" {
  description = "Roles for the workflows."
  value       = module.pipelines.role_arns
}
