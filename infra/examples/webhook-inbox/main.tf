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

locals {
  tags = { project = var.name }
}

# Every delivery once: the sender's id is the key, a condition in the function refuses the second.
module "deliveries" {
  source = "../../modules/dynamodb-table"

  name                        = "${var.name}-deliveries"
  hash_key                    = { name = "deliveryId" }
  ttl_attribute               = "ttl"
  deletion_protection_enabled = var.deletion_protection_enabled
  tags                        = local.tags
}

# Between taking a webhook and working on it: the sender waits for the first only.
module "inbox" {
  source = "../../modules/sqs-queue"

  name                       = "${var.name}-inbox"
  consumer_timeout_seconds   = 30
  visibility_timeout_seconds = 180
  deny_insecure_transport    = var.deny_insecure_transport
  tags                       = local.tags
}

module "bus" {
  source = "../../modules/event-bus"

  name = var.name
  tags = local.tags
}

module "artifacts" {
  source = "../../modules/s3-bucket"

  name          = "${var.name}-artifacts-${data.aws_caller_identity.current.account_id}"
  force_destroy = true
  tags          = local.tags
}

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

module "api" {
  source = "../../modules/http-api"

  name               = var.name
  description        = "Takes webhooks."
  throttling         = { rate_limit = 50, burst_limit = 100 }
  log_retention_days = 14
  tags               = local.tags
}

module "service" {
  source = "../../modules/service"

  stack              = "inbox"
  env                = "example"
  name_prefix        = var.name
  catalogue_file     = "${path.module}/functions.json"
  release_manifest   = var.release_manifest
  artifacts_bucket   = module.artifacts.name
  upload_artifacts   = true
  log_retention_days = 14
  tags               = local.tags

  http_api = {
    id            = module.api.id
    execution_arn = module.api.execution_arn
  }

  functions = {
    inbox-take = {
      description     = "Checks the sender's signature and queues the delivery"
      timeout_seconds = 5
      environment     = { INBOX_QUEUE_URL = module.inbox.url }
      permissions     = { Inbox = { actions = ["sqs:SendMessage"], resources = [module.inbox.arn] } }
    }
    inbox-work = {
      description     = "Records a delivery once and tells the bus"
      timeout_seconds = 30
      environment     = { DELIVERIES_TABLE = module.deliveries.name, EVENT_BUS = module.bus.name }
      permissions = {
        Deliveries = { actions = ["dynamodb:PutItem"], resources = [module.deliveries.arn] }
        Bus        = { actions = ["events:PutEvents"], resources = [module.bus.arn] }
      }
      queue_sources = { inbox = { queue_arn = module.inbox.arn, maximum_concurrency = 5 } }
    }
    inbox-notify = {
      description = "Subscriber: receives every delivery"
      permissions = { Failures = { actions = ["sqs:SendMessage"], resources = ["arn:aws:sqs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:${var.name}-notify-dlq"] } }
    }
  }
}

module "notify" {
  source = "../../modules/event-subscriber"

  name                    = "${var.name}-notify"
  event_bus_name          = module.bus.name
  detail_types            = ["WEBHOOK_TAKEN"]
  deny_insecure_transport = var.deny_insecure_transport
  tags                    = local.tags

  target = {
    arn                = module.service.functions["inbox-notify"].arn
    function_name      = module.service.functions["inbox-notify"].name
    function_qualifier = module.service.functions["inbox-notify"].qualifier
  }
}

module "alarms" {
  source = "../../modules/alarms"

  name_prefix = var.name
  functions   = module.service.watch
  queues = {
    inbox  = { name = module.inbox.name, dlq_name = module.inbox.dlq_name }
    notify = { dlq_name = module.notify.dlq_name }
  }
  tags = local.tags
}

module "dashboard" {
  source = "../../modules/dashboard"

  name               = var.name
  functions          = module.service.function_names
  queues             = { inbox = module.inbox.name }
  dead_letter_queues = { inbox-dlq = module.inbox.dlq_name, notify-dlq = module.notify.dlq_name }
}
