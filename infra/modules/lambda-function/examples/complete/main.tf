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

variable "zip_file" {
  description = "Zip with the binary, named bootstrap."
  type        = string
}

variable "zip_sha256" {
  description = "SHA-256 of the zip, in hexadecimal digits."
  type        = string
}

module "table" {
  source = "../../../dynamodb-table"

  name                        = "example-items"
  hash_key                    = { name = "id" }
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  deletion_protection_enabled = false
}

module "queue" {
  source = "../../../sqs-queue"

  deny_insecure_transport    = var.deny_insecure_transport
  name                       = "example-jobs"
  consumer_timeout_seconds   = 30
  visibility_timeout_seconds = 180
}

module "failed" {
  source = "../../../sqs-queue"

  deny_insecure_transport   = var.deny_insecure_transport
  name                      = "example-failed"
  message_retention_seconds = 1209600
  dead_letter_queue         = null
}

module "worker" {
  source = "../.."

  name               = "example-worker"
  description        = "Works on jobs and on changed items."
  artifact           = { sha256 = var.zip_sha256, filename = var.zip_file }
  architecture       = "arm64"
  memory_size_mb     = 512
  timeout_seconds    = 30
  log_retention_days = 90
  alias_owner        = "deployer"

  environment = { TABLE = module.table.name }

  permissions = {
    Table = {
      actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
      resources = [module.table.arn]
    }
  }

  queue_sources = {
    jobs = { queue_arn = module.queue.arn, maximum_concurrency = 10 }
  }

  stream_sources = {
    items = {
      stream_arn           = module.table.stream_arn
      on_failure_queue_arn = module.failed.arn
      filter_patterns      = [jsonencode({ eventName = ["MODIFY"] })]
    }
  }
}

output "grants" {
  description = "Permissions of the worker."
  value       = module.worker.grants
}
