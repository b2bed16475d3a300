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

module "context" {
  source = "../.."

  stack                = "shop"
  env                  = "example"
  artifacts_bucket     = "shop-artifacts"
  permissions_boundary = false
}

# Something that is named and tagged by the context.
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

output "queue_url" {
  description = "URL of the queue."
  value       = module.queue.url
}
