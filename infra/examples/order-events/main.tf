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

locals {
  tags = { project = var.name }

  # One item for each event of an order: both keys together are unique, so an event that is delivered again changes nothing.
  by_time = "ByTime"
}

module "orders" {
  source = "../../modules/dynamodb-table"

  name                        = "${var.name}-orders"
  hash_key                    = { name = "customerId" }
  range_key                   = { name = "eventId" }
  deletion_protection_enabled = var.deletion_protection_enabled
  tags                        = local.tags

  # What a customer has just done is read by time, and strongly consistent: a global index could be behind.
  local_secondary_indexes = {
    (local.by_time) = { range_key = { name = "occurredAt", type = "N" }, projection_type = "ALL" }
  }
}

# A customer's events are written in the order in which they were sent: the customer is the message group.
module "queue" {
  source = "../../modules/sqs-queue"

  name                       = "${var.name}-orders"
  fifo                       = { high_throughput = true }
  consumer_timeout_seconds   = 30
  visibility_timeout_seconds = 180
  dead_letter_queue          = { max_receive_count = 3 }
  deny_insecure_transport    = var.deny_insecure_transport
  tags                       = local.tags
}

# The network is another team's: this adds a security group to it, and an endpoint only if route tables are given.
module "network" {
  source = "../../modules/network"

  name                = var.name
  dynamodb_table_arns = [module.orders.arn]
  tags                = local.tags

  existing_vpc = {
    vpc_id          = var.vpc_id
    subnet_ids      = var.subnet_ids
    route_table_ids = var.route_table_ids
  }
}

module "artifacts" {
  source = "../../modules/s3-bucket"

  name          = "${var.name}-artifacts-${data.aws_caller_identity.current.account_id}"
  force_destroy = true
  tags          = local.tags
}

module "api" {
  source = "../../modules/http-api"

  name                         = var.name
  description                  = "Takes events of orders."
  disable_execute_api_endpoint = true
  throttling                   = { rate_limit = 100, burst_limit = 200 }
  log_retention_days           = 14
  tags                         = local.tags
}

module "domain" {
  source = "../../modules/domain"

  http        = { domain_name = var.domain_name, api_id = module.api.id }
  hosted_zone = { id = var.hosted_zone_id }
  tags        = local.tags
}

module "service" {
  source = "../../modules/service"

  stack              = "orders"
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
    orders-take = {
      description     = "Checks an event and queues it in its customer's group"
      timeout_seconds = 5
      environment     = { ORDERS_QUEUE_URL = module.queue.url }
      permissions     = { Orders = { actions = ["sqs:SendMessage"], resources = [module.queue.arn] } }
    }
    # Lambda reads the queue outside the network: the function itself calls DynamoDB only.
    orders-write = {
      description     = "Writes a customer's events in their order"
      timeout_seconds = 30
      environment     = { ORDERS_TABLE = module.orders.name, ORDERS_BY_TIME = local.by_time }
      permissions = {
        Write = { actions = ["dynamodb:PutItem"], resources = [module.orders.arn] }
        Read  = { actions = ["dynamodb:Query"], resources = [module.orders.index_arns[local.by_time]] }
      }
      queue_sources = { orders = { queue_arn = module.queue.arn, maximum_concurrency = 10 } }
      vpc = {
        subnet_ids         = module.network.subnet_ids
        security_group_ids = [module.network.functions_security_group_id]
      }
    }
  }
}

module "alarms" {
  source = "../../modules/alarms"

  name_prefix = var.name
  functions   = module.service.watch
  queues      = { orders = { name = module.queue.name, dlq_name = module.queue.dlq_name } }
  tags        = local.tags
}
