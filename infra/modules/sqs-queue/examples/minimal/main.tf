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

variable "deny_insecure_transport" {
  description = "Whether the queues refuse requests without TLS; false only without TLS (a local cloud)."
  type        = bool
  default     = true
}

module "queue" {
  source = "../.."

  deny_insecure_transport = var.deny_insecure_transport
  name                    = "example"
}

output "url" {
  description = "URL of the queue."
  value       = module.queue.url
}
