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

  endpoint = var.local_endpoint == "" ? module.api.endpoint : "${var.local_endpoint}/_aws/execute-api/${module.api.id}"
}

module "artifacts" {
  source = "../../modules/s3-bucket"

  name          = "${var.name}-artifacts-${data.aws_caller_identity.current.account_id}"
  force_destroy = true
  # A local cloud does not live long enough for its rules, for which Terraform waits a minute.
  lifecycle_enabled = var.local_endpoint == ""
  tags              = local.tags
}

module "api" {
  source = "../../modules/http-api"

  name        = var.name
  description = "Shows the session of the caller."
  # With cookies, a page of another origin needs all three. Without origins the API sends no headers of CORS.
  cors = {
    allow_origins     = var.allowed_origins
    allow_headers     = ["authorization", "content-type", "x-holdfast-csrf"]
    allow_credentials = true
  }
  throttling         = { rate_limit = 50, burst_limit = 100 }
  log_retention_days = 14
  tags               = local.tags
}

# It decides about every request before a handler runs.
module "authorizer" {
  source = "../../modules/session-authorizer"

  name_prefix = var.name
  api         = { type = "HTTP", id = module.api.id, execution_arn = module.api.execution_arn }
  function    = var.authorizer
}

# No function may do anything but write its log: each reads the session from its event.
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
    authorizer_id = module.authorizer.id
  }

  functions = {
    orders-rust   = { description = "GET /v1/rust" }
    orders-node   = { description = "GET /v1/node", runtime = "nodejs22.x", handler = "index.handler" }
    orders-python = { description = "GET /v1/python", runtime = "python3.13", handler = "handler.handle" }
  }
}

module "alarms" {
  source = "../../modules/alarms"

  name_prefix = var.name
  functions   = module.service.watch
  tags        = local.tags
}
