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

module "bus" {
  source = "../../../event-bus"

  name = "example-subscriber"
}

# A queue as target: its policy lets the rule send.
module "inbox" {
  source = "../../../sqs-queue"

  deny_insecure_transport = var.deny_insecure_transport
  name                    = "example-inbox"

  senders = {
    Rule = {
      service    = "events.amazonaws.com"
      source_arn = module.subscriber.rule_arn
    }
  }
}

module "subscriber" {
  source = "../.."

  deny_insecure_transport = var.deny_insecure_transport
  name                    = "example-subscriber"
  event_bus_name          = module.bus.name
  detail_types            = ["SESSION_REVOKED"]
  target                  = { arn = module.inbox.arn }
}

output "inbox_url" {
  description = "URL of the queue that gets the events."
  value       = module.inbox.url
}
