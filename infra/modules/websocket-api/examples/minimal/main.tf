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

  name     = "example-authorizer"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }
}

module "connect" {
  source = "../../../lambda-function"

  name     = "example-connect"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }
}

module "frame" {
  source = "../../../lambda-function"

  name     = "example-frame"
  artifact = { sha256 = var.zip_sha256, filename = var.zip_file }
}

module "sockets" {
  source = "../.."

  name = "example-sockets"
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

output "url" {
  description = "Address that clients connect to."
  value       = "${module.sockets.endpoint}/v1"
}
