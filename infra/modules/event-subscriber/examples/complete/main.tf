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

variable "zip_file" {
  description = "Zip with the binary, named bootstrap."
  type        = string
}

variable "zip_sha256" {
  description = "SHA-256 of the zip, in hexadecimal digits."
  type        = string
}

variable "deny_insecure_transport" {
  description = "Whether the queues refuse requests without TLS; false only without TLS (a local cloud)."
  type        = bool
  default     = true
}

module "bus" {
  source = "../../../event-bus"

  name = "example-listened-to"
}

# The role may put what the function fails on into the subscription's dead-letter queue. Its name is known before it is
# made: the subscription needs the function.
data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

module "listener" {
  source = "../../../lambda-function"

  name     = "example-listener"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }

  permissions = {
    Failures = {
      actions   = ["sqs:SendMessage"]
      resources = ["arn:aws:sqs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:team-example-listener-dlq"]
    }
  }
}

module "subscriber" {
  source = "../.."

  name_prefix               = "team"
  name                      = "example-listener"
  description               = "Hears what happens to orders."
  event_bus_name            = module.bus.name
  sources                   = ["shop.orders"]
  detail_types              = ["ORDER_PLACED", "ORDER_SHIPPED"]
  maximum_event_age_seconds = 3600
  maximum_retry_attempts    = 10
  function_retry_attempts   = 1
  deny_insecure_transport   = var.deny_insecure_transport
  tags                      = { project = "shop" }

  target = {
    arn                = module.listener.arn
    function_name      = module.listener.name
    function_qualifier = module.listener.qualifier
  }
}

output "dlq_url" {
  description = "URL of the queue with what could not be delivered or was failed on."
  value       = module.subscriber.dlq_url
}
