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

module "authorizer" {
  source = "../../../lambda-function"

  name     = "example-chat-authorizer"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }
}

module "connect" {
  source = "../../../lambda-function"

  name     = "example-chat-connect"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }
}

module "frame" {
  source = "../../../lambda-function"

  name     = "example-chat-frame"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }
}

locals {
  connect = {
    function_name      = module.connect.name
    function_qualifier = module.connect.qualifier
    invoke_arn         = module.connect.invoke_arn
  }
  frame = {
    function_name      = module.frame.name
    function_qualifier = module.frame.qualifier
    invoke_arn         = module.frame.invoke_arn
  }
}

module "sockets" {
  source = "../.."

  name_prefix                = "team"
  name                       = "example-chat"
  description                = "A chat."
  stage_name                 = "live"
  route_selection_expression = "$request.body.kind"
  throttling                 = { rate_limit = 200, burst_limit = 100 }
  log_retention_days         = 7
  tags                       = { project = "chat" }

  authorizer = {
    function_name      = module.authorizer.name
    function_qualifier = module.authorizer.qualifier
    invoke_arn         = module.authorizer.invoke_arn
    identity_sources   = ["route.request.querystring.ticket"]
  }

  routes = {
    "$connect"    = merge(local.connect, { timeout_milliseconds = 3000 })
    "$disconnect" = local.connect
    "$default"    = local.frame
    "say"         = local.frame
  }
}

output "post_policy" {
  description = "Policy document for those that post to sockets."
  value       = module.sockets.policy_documents.post
}
