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

variable "authorizer" {
  description = "Output `authorizer` of the stack sessions: name, qualifier and invoke_arn."
  type = object({
    name       = string
    qualifier  = optional(string)
    invoke_arn = string
  })
}

variable "authorizer_instance" {
  description = "Output `authorizer_instance` of the stack sessions: artifact, environment and permissions of an instance."
  type = object({
    artifact = object({
      sha256    = string
      filename  = optional(string)
      s3_bucket = optional(string)
      s3_key    = optional(string)
    })
    architecture = optional(string)
    environment  = map(string)
    permissions = map(object({
      actions   = set(string)
      resources = set(string)
    }))
  })
}

# An API whose authorizer keeps a result for at most five seconds.
module "api" {
  source = "../../../http-api"

  name = "example-protected-http"
}

module "http" {
  source = "../.."

  name_prefix        = "example"
  api                = { type = "HTTP", id = module.api.id, execution_arn = module.api.execution_arn }
  function           = var.authorizer
  result_ttl_seconds = 5
}

resource "aws_api_gateway_rest_api" "reports" {
  name = "example-protected-rest"

  lifecycle {
    create_before_destroy = true
  }
}

module "rest" {
  source = "../.."

  name_prefix = "example"
  api         = { type = "REST", id = aws_api_gateway_rest_api.reports.id, execution_arn = aws_api_gateway_rest_api.reports.execution_arn }
  function    = var.authorizer
}

# The same API again, for what needs a second factor and an authentication of the last quarter of an hour.
module "recent" {
  source = "../.."

  name_prefix     = "example"
  name            = "recent"
  api             = { type = "HTTP", id = module.api.id, execution_arn = module.api.execution_arn }
  instance        = var.authorizer_instance
  require_mfa     = true
  max_age_seconds = 900
}

output "authorizer_ids" {
  description = "Id of each authorizer, for the routes and methods that need a session."
  value       = { http = module.http.id, rest = module.rest.id, recent = module.recent.id }
}
