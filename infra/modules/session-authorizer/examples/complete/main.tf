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

output "authorizer_ids" {
  description = "Id of each authorizer, for the routes and methods that need a session."
  value       = { http = module.http.id, rest = module.rest.id }
}
