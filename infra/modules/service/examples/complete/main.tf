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

variable "release_manifest" {
  description = "Manifest of the release: version, arch, and of each function sha256, file and s3Key."
  type        = string
}

module "artifacts" {
  source = "../../../s3-bucket"

  name          = "example-shop-artifacts"
  force_destroy = true
}

module "api" {
  source = "../../../http-api"

  name = "example-shop"
}

module "orders" {
  source = "../../../dynamodb-table"

  name                        = "example-shop-orders"
  hash_key                    = { name = "id" }
  stream_view_type            = "NEW_IMAGE"
  deletion_protection_enabled = false
}

module "parcels" {
  source = "../../../sqs-queue"

  name                       = "example-shop-parcels"
  consumer_timeout_seconds   = 20
  visibility_timeout_seconds = 120
  deny_insecure_transport    = var.deny_insecure_transport
}

module "service" {
  source = "../.."

  stack              = "shop"
  env                = "test"
  name_prefix        = "example-shop"
  catalogue_file     = "${path.module}/functions.json"
  release_manifest   = var.release_manifest
  artifacts_bucket   = module.artifacts.name
  upload_artifacts   = true
  log_level          = "debug"
  log_retention_days = 7
  tags               = { project = "shop" }

  http_api = {
    id            = module.api.id
    execution_arn = module.api.execution_arn
  }

  functions = {
    shop-buy = {
      description = "POST /v1/orders"
      environment = { ORDERS_TABLE = module.orders.name }
      permissions = { Orders = { actions = ["dynamodb:PutItem"], resources = [module.orders.arn] } }
    }
    shop-ship = {
      description     = "Ships what was bought"
      timeout_seconds = 20
      queue_sources   = { parcels = { queue_arn = module.parcels.arn, maximum_concurrency = 5 } }
    }
    shop-watch = {
      description = "Reads changes of orders"
      stream_sources = {
        orders = {
          stream_arn           = module.orders.stream_arn
          on_failure_queue_arn = module.parcels.dlq_arn
        }
      }
    }
  }
}

module "alarms" {
  source = "../../../alarms"

  name_prefix = "example-shop"
  functions   = module.service.watch
  queues      = { parcels = { name = module.parcels.name, dlq_name = module.parcels.dlq_name } }
}

output "functions" {
  description = "Names of the functions."
  value       = module.service.function_names
}
