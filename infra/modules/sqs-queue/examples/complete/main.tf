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

  deny_insecure_transport    = var.deny_insecure_transport
  name                       = "example-work"
  consumer_timeout_seconds   = 60
  visibility_timeout_seconds = 360
  message_retention_seconds  = 86400
  dead_letter_queue          = { max_receive_count = 3 }

  senders = {
    Rule = {
      service    = "events.amazonaws.com"
      source_arn = "arn:aws:events:us-east-1:123456789012:rule/example"
    }
  }
}

output "dlq_url" {
  description = "URL of the dead-letter queue."
  value       = module.queue.dlq_url
}
