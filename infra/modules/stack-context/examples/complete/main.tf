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

# A parameter that another stack publishes.
resource "aws_ssm_parameter" "table" {
  #checkov:skip=CKV2_AWS_34:The parameter is the name of a table that other stacks read while planning; no secret is a parameter

  name  = "/holdfast/example-complete/platform/sessions-table-name"
  type  = "String"
  value = "example-sessions"
}

module "context" {
  source = "../.."

  stack                = "shop"
  env                  = "example-complete"
  name_prefix          = "team-shop"
  artifacts_bucket     = "shop-artifacts"
  permissions_boundary = false
  runbooks_url         = "https://wiki.example/runbooks"
  allowed_origins      = ["https://shop.example"]
  tags                 = { team = "checkout" }

  max_sessions_per_user    = 3
  access_token_ttl_seconds = 300

  inputs = ["platform/sessions-table-name"]

  # Elsewhere another stack has written the parameter before this one is planned.
  depends_on = [aws_ssm_parameter.table]
}

module "queue" {
  source = "../../../sqs-queue"

  name                    = "${module.context.name_prefix}-orders"
  tags                    = module.context.tags
  deny_insecure_transport = var.deny_insecure_transport
}

variable "deny_insecure_transport" {
  description = "Whether the queue refuses requests without TLS; off on the local cloud, which has none."
  type        = bool
  default     = true
}

output "session_environment" {
  description = "Environment variables of a function that checks sessions."
  value       = module.context.session_environment
}
