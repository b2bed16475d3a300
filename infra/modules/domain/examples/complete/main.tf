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

module "api" {
  source = "../../../http-api"

  name = "example-domain-complete"
}

resource "aws_route53_zone" "example" {
  #checkov:skip=CKV2_AWS_38:This zone is an example; no resolver sends queries to it
  #checkov:skip=CKV2_AWS_39:This zone is an example; no resolver sends queries to it

  name = "complete.example"
}

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

  name     = "example-domain-authorizer"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }
}

module "connect" {
  source = "../../../lambda-function"

  name     = "example-domain-connect"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }
}

module "frame" {
  source = "../../../lambda-function"

  name     = "example-domain-frame"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }
}

module "sockets" {
  source = "../../../websocket-api"

  name = "example-domain-sockets"
  authorizer = {
    function_name      = module.authorizer.name
    function_qualifier = module.authorizer.qualifier
    invoke_arn         = module.authorizer.invoke_arn
  }

  routes = {
    "$connect" = {
      function_name      = module.connect.name
      function_qualifier = module.connect.qualifier
      invoke_arn         = module.connect.invoke_arn
    }
    "$default" = {
      function_name      = module.frame.name
      function_qualifier = module.frame.qualifier
      invoke_arn         = module.frame.invoke_arn
    }
  }
}

module "domain" {
  source = "../.."

  http        = { domain_name = "api.complete.example", api_id = module.api.id }
  websocket   = { domain_name = "ws.complete.example", api_id = module.sockets.id, stage = "v1" }
  hosted_zone = { id = aws_route53_zone.example.zone_id }
  tags        = { project = "shop" }

  # Cookies are sent by pages of the same site only.
  site           = "complete.example"
  cookie_origins = ["https://www.complete.example"]
}

output "urls" {
  description = "Addresses of both APIs."
  value       = [module.domain.http_url, module.domain.websocket_url]
}
